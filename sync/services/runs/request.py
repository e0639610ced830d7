"""一次同步的请求:要什么,以及检查它。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.utils.translation import gettext as _

from sync.engine import markets
from sync.engine.ports import Window
from sync.models import RunKind, Stock
from sync.models.runs import request_key
from sync.models.stocks import EARLIEST

from ..checks import check_market, check_order, check_period
from ..errors import BadRequest
from ..shards.cut import MOST_SHARDS
from ..stocks.named import named_stocks


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """要哪些市场、哪些股票、哪种周期、哪个区间。

    No markets means all, no codes all stocks; without `end` up to today. `shards` is
    how many jobs it is cut into, 0 for as many as its tokens call for.
    """

    start: date
    end: date | None = None
    markets: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    period: str = "day"
    force: bool = False
    shards: int = 0

    def checked(self, *, at: datetime) -> SyncRequest:
        """检查并补全请求;不对时抛出 BadRequest。"""
        for market in self.markets:
            check_market(market, field="markets")
        check_period(self.period)
        asked = self.markets or tuple(markets.MARKETS)
        today = max(markets.today(market, at=at) for market in asked)
        end = self.end or max(markets.latest(market, at=at) for market in asked)
        if self.start < EARLIEST:
            text = _("The start %(start)s is before %(earliest)s.")
            raise BadRequest(
                "start", text % {"start": self.start, "earliest": EARLIEST}
            )
        if end > today:
            text = _("The end %(end)s is in the future: give %(today)s or earlier.")
            raise BadRequest("end", text % {"end": end, "today": today})
        check_order(self.start, end)
        if not 0 <= self.shards <= MOST_SHARDS:
            raise BadRequest("shards", _("The shards must be 1 to %d.") % MOST_SHARDS)
        once = tuple(dict.fromkeys(self.markets))
        request = replace(self, end=end, markets=once)
        return _with_stored_codes(request) if self.codes else request

    @property
    def window(self) -> Window:
        """返回区间;请求要先检查过。"""
        assert self.end is not None
        return Window(self.start, self.end)

    @property
    def kind(self) -> RunKind:
        """返回运行的种类:说出了股票的是指定股票。"""
        return RunKind.SINGLE if self.codes else RunKind.BATCH

    @property
    def key(self) -> str:
        """返回请求的键;同样的请求有同样的键。"""
        return request_key(
            markets=self.markets,
            codes=self.codes,
            period=self.period,
            start=self.start,
            end=self.end,
        )

    def with_stocks(self) -> list[str]:
        """要的股票都在哪些市场。"""
        stocks = Stock.objects.wanted(markets=self.markets, codes=self.codes)
        return sorted(stocks.order_by().values_list("market", flat=True).distinct())


def _with_stored_codes(request: SyncRequest) -> SyncRequest:
    """代码换成存着的写法;哪个市场的要说得清楚。"""
    found = named_stocks(request.codes, markets=request.markets)
    if unknown := [text for text, where in found.items() if not where]:
        raise BadRequest("codes", _unknown(unknown, request.markets))
    codes = tuple(dict.fromkeys(c for where in found.values() for _m, c in where))
    request = replace(request, codes=codes)
    return request if request.markets else _in_one_market(request, found)


def _in_one_market(
    request: SyncRequest, found: dict[str, list[tuple[str, str]]]
) -> SyncRequest:
    """Without a market each code has to be one stock only.

    600519.SH names its market, and then the run has it, too: 000001 alone would be
    Shenzhen's as well.
    """
    everywhere: dict[str, set[str]] = {}
    stocks = Stock.objects.wanted(markets=(), codes=request.codes)
    for market, code in stocks.values_list("market", "stock_code"):
        everywhere.setdefault(code, set()).add(market)
    several = {code: names for code, names in everywhere.items() if len(names) > 1}
    named = {market for where in found.values() for market, _code in where}
    if several and len(named) == 1:
        return replace(request, markets=tuple(named))
    for code, names in several.items():
        said = _("Stock %(code)s exists in %(markets)s: say which market.")
        where_found = _(" and ").join(sorted(names))
        raise BadRequest("codes", said % {"code": code, "markets": where_found})
    return request


def _unknown(codes: Sequence[str], wanted: Sequence[str]) -> str:
    if wanted:
        message = _("Unknown stock in %(markets)s: %(codes)s.")
    else:
        message = _("Unknown stock: %(codes)s.")
    remedy = _("Load the list with sync_stocks or import_stocks.")
    named = message % {"markets": ", ".join(wanted), "codes": ", ".join(codes)}
    return f"{named} {remedy}"
