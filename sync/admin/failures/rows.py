"""一页失败记录旁边的:前景、备注、股票的图。"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from common.admin.display import badge, moment
from sync import services
from sync.engine.markets import MARKETS
from sync.models import FailureNote, Stock, SyncFailure

from ..display import run_url
from .matrix import Cells

COLOURS = {
    services.Acts.YOU: "bad",
    services.Acts.ITSELF: "warn",
    services.Acts.GIVEN_UP: "idle",
    services.Acts.HEALED: "ok",
}


class FailureChangeList(ChangeList):
    """一页失败,每条带着 `outlook`、`note` 和 `stock_id`。"""

    def get_results(self, request: HttpRequest) -> None:
        """取这一页,再把它们放到旁边。"""
        super().get_results(request)
        if request.method == "POST":
            return  # an action: nothing is shown
        self.result_list = with_outlook(list(self.result_list), outlooks_of(request))


def outlooks_of(request: HttpRequest) -> services.Outlooks:
    """这一次请求里只判断一次。"""
    found: services.Outlooks | None = getattr(request, "outlooks", None)
    if found is None:
        found = services.Outlooks(at=services.now())
        request.outlooks = found  # type: ignore[attr-defined]
    return found


def cells_of(request: HttpRequest) -> Cells:
    """矩阵的格子,这一次请求里只数一次。"""
    found: Cells | None = getattr(request, "failure_cells", None)
    if found is None:
        found = outlooks_of(request).cells()
        request.failure_cells = found  # type: ignore[attr-defined]
    return found


def with_outlook(rows: list[Any], outlooks: services.Outlooks) -> list[Any]:
    """给每一条放上前景(和看的时刻)、最新的备注、股票的编号。"""
    notes = FailureNote.objects.newest(row.pk for row in rows)
    stocks = _stocks(rows)
    for row in rows:
        row.outlook, row.seen_at = outlooks.of(row), outlooks.at
        row.note = notes.get(row.pk)
        row.stock_id = stocks.get((row.market, row.stock_code))
    return rows


def _stocks(rows: Iterable[SyncFailure]) -> dict[tuple[str, str], int]:
    codes = {row.stock_code for row in rows}
    markets = {row.market for row in rows}
    found = Stock.objects.filter(stock_code__in=codes, market__in=markets)
    return {
        (market, code): pk
        for pk, market, code in found.values_list("pk", "market", "stock_code")
    }


def stock_link(row: Any) -> SafeString | str:
    """股票;点了就是它的图,正好是这个区间。"""
    name = f"{row.market} {row.stock_code}".strip()
    if row.stock_id is None:
        return name
    page = reverse("admin:sync_stock_change", args=[row.stock_id])
    wanted = {"period": row.period, "since": row.start_date, "to": row.end_date}
    return format_html('<a href="{}?{}#chart">{}</a>', page, urlencode(wanted), name)


def acts_badge(outlook: services.Outlook) -> SafeString:
    """谁要动手,带颜色。"""
    return badge(COLOURS[outlook.acts], outlook.acts.label)


def next_words(row: Any) -> SafeString | str:
    """下一次什么时候试,或者要你做什么。"""
    outlook = row.outlook
    if outlook.run_id is not None:
        link = format_html(
            '<a href="{}">{}</a>', run_url(outlook.run_id), _("run %d") % outlook.run_id
        )
        return format_html("{} {}", _("being fetched now by"), link)
    if outlook.advice:
        return format_html("{}", outlook.advice.label)
    if outlook.next_try is None:
        return "–"
    return clock(outlook.next_try, row.market, at=row.seen_at)


def clock(when: datetime, market: str, *, at: datetime) -> SafeString:
    """市场的钟点,不是今天的带日期;悬停是 UTC。"""
    known = MARKETS.get(market)
    if known is None:
        return format_html("{} UTC", moment(when))
    there, today = (one.astimezone(ZoneInfo(known.zone)) for one in (when, at))
    shown = f"{there:%H:%M %Z}" if there.date() == today.date() else ""
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        when.isoformat(),
        moment(when),
        shown or f"{there:%Y-%m-%d %H:%M %Z}",
    )
