"""一次同步的请求:要什么,以及检查它。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.utils.translation import gettext as _

from sync.engine import markets
from sync.engine.ports import Window
from sync.models import Stock
from sync.models.runs import request_key
from sync.models.stocks import EARLIEST

from ..checks import check_market, check_order, check_period
from ..errors import BadRequest
from ..shards.cut import MOST_SHARDS


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
        self._check_codes()
        return replace(self, end=end, markets=tuple(dict.fromkeys(self.markets)))

    @property
    def window(self) -> Window:
        """检查过的请求的区间。"""
        assert self.end is not None
        return Window(self.start, self.end)

    @property
    def key(self) -> str:
        """同样的请求有同样的键。"""
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

    def _check_codes(self) -> None:
        stocks = Stock.objects.wanted(markets=self.markets, codes=self.codes)
        if not self.codes:
            return
        found: dict[str, list[str]] = {}
        for market, code in stocks.values_list("market", "stock_code"):
            found.setdefault(code, []).append(market)
        if unknown := [code for code in self.codes if code not in found]:
            raise BadRequest("codes", _unknown(unknown, self.markets))
        for code, where_found in found.items():
            if len(where_found) > 1 and not self.markets:
                text = _("Stock %(code)s exists in %(markets)s: say which market.")
                several = _(" and ").join(sorted(where_found))
                values = {"code": code, "markets": several}
                raise BadRequest("codes", text % values)


def _unknown(codes: Sequence[str], wanted: Sequence[str]) -> str:
    if wanted:
        message = _("Unknown stock in %(markets)s: %(codes)s.")
    else:
        message = _("Unknown stock: %(codes)s.")
    remedy = _("Load the list with sync_stocks or import_stocks.")
    named = message % {"markets": ", ".join(wanted), "codes": ", ".join(codes)}
    return f"{named} {remedy}"
