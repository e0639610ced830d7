"""一页股票旁边的数字:覆盖范围、等待的失败;整页各一次查询。"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from django.contrib.admin.views.main import ChangeList
from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sync import services
from sync.engine.markets import MARKETS
from sync.engine.ports import Window
from sync.models import Coverage, Stock, SyncFailure, UnreachedHistory
from sync.models.stocks import StockQuerySet

from ..display import failures_url, period_words
from .gone import gone_among

PERIOD = "day"
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class StockStats:
    """一只股票旁边的数字。"""

    covered: Window | None
    waiting: int
    cut_short: bool  # older history needs a token that sees further back
    newest: date | None  # the day of the newest bar
    gone: bool  # the provider has it no more


class StockChangeList(ChangeList):
    """一页股票,每只带着 `stats`。"""

    def get_results(self, request: HttpRequest) -> None:
        """取这一页,再把数字放到旁边。"""
        super().get_results(request)
        stocks = list(self.result_list)
        found = stats(stocks)
        for stock in stocks:
            stock.stats = found[stock.pk]
        self.result_list = stocks


def stats(stocks: Sequence[Stock]) -> dict[int, StockStats]:
    """这些股票的数字。"""
    covered = {
        row.stock_id: row.window
        for row in Coverage.objects.filter(stock__in=stocks, period=PERIOD)
    }
    waiting = _waiting(stocks)
    older = UnreachedHistory.objects.of([stock.pk for stock in stocks], PERIOD)
    cut_short = set(older.values_list("stock_id", flat=True))
    newest = services.newest_bars(stocks)
    gone = gone_among(stocks)
    return {
        stock.pk: StockStats(
            covered.get(stock.pk),
            waiting.get((stock.market, stock.stock_code), 0),
            stock.pk in cut_short,
            newest.get(stock.pk),
            stock.pk in gone,
        )
        for stock in stocks
    }


def _waiting(stocks: Iterable[Stock]) -> dict[Key, int]:
    codes = {stock.stock_code for stock in stocks}
    rows = SyncFailure.objects.waiting().filter(stock_code__in=codes)
    return rows.count_by("market", "stock_code")


def searched(stocks: StockQuerySet, term: str) -> StockQuerySet:
    """按代码的开头找,或者按名字里的字。

    Something with a digit and nothing but a code's characters is a code: that is
    answered from the index (market, code). Anything else is looked for in both.
    """
    named = Q(stock_name__icontains=term)
    if not term.isascii():
        return stocks.filter(named)  # no code is
    begins = _begins(term.upper())
    plain = "".join(character for character in term if character not in ".-_")
    if plain.isalnum() and any(map(str.isdigit, plain)):
        return stocks.filter(begins)
    return stocks.filter(begins | named)


def _begins(code: str) -> Q:
    # A range: what Django makes of startswith on MySQL does not use the index.
    after = code[:-1] + chr(ord(code[-1]) + 1)
    begins = Q(market__in=list(MARKETS), stock_code__gte=code, stock_code__lt=after)
    # Hong Kong's codes are stored as the provider spells them: 700 and not 00700.
    bare = code.lstrip("0")
    return begins | Q(market="HK", stock_code=bare) if bare != code else begins


def span(window: Window | None) -> str:
    """覆盖范围。"""
    return f"{window.start} – {window.end}" if window else "–"


def covered(stats: StockStats) -> SafeString | str:
    """覆盖范围;更早的没有 Token 看得到、服务商不再有了时说出来。"""
    notes = [_("older: no token sees it")] if stats.cut_short else []
    notes += [_("gone: the provider has it no more")] if stats.gone else []
    shown = format_html_join("", '<div class="quiet">{}</div>', zip(notes))
    return format_html("{}{}", span(stats.covered), shown)


def klines_url(stock: Stock, **wanted: str) -> str:
    """一只股票的 K 线的页面。"""
    query = {"market": stock.market, "code": stock.stock_code, **wanted}
    return f"{reverse('admin:sync_kline_changelist')}?{urlencode(query)}"


def waiting_link(stock: Stock, count: int) -> SafeString | str:
    """等待的失败有多少,点了就是它们的列表。"""
    if not count:
        return "0"
    url = failures_url(q=stock.stock_code, market=stock.market, status=0)
    return format_html('<a href="{}">{}</a>', url, f"{count:,}")


def coverage_links(stock: Stock) -> SafeString | str:
    """每种周期的覆盖范围,点了就是 K 线。"""
    rows = Coverage.objects.filter(stock=stock).order_by("pk")
    older = {row.period: row for row in UnreachedHistory.objects.filter(stock=stock)}
    lines = [
        (
            klines_url(stock, period=row.period),
            period_words(row.period),
            span(row.window),
            why_not_older(older.pop(row.period, None)),
        )
        for row in rows
    ]
    lines += [
        (
            klines_url(stock, period=period),
            period_words(period),
            "–",
            why_not_older(row),
        )
        for period, row in older.items()
    ]
    form = '<div><a href="{}">{}</a> {} <span class="quiet">{}</span></div>'
    return format_html_join("", form, lines) or "–"


def why_not_older(row: UnreachedHistory | None) -> str:
    """为什么没有更早的。"""
    if row is None:
        return ""
    said = ngettext(
        "History before %(day)s needs a token that sees further back: "
        "%(tokens)d token had none.",
        "History before %(day)s needs a token that sees further back: "
        "%(tokens)d tokens had none.",
        len(row.asked),
    )
    return said % {"day": row.before, "tokens": len(row.asked)}
