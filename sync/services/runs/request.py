"""一次同步的请求:要什么,以及检查它。"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.utils.translation import gettext as _

from sync.engine import markets
from sync.engine.ports import Window
from sync.models import Stock

from ..errors import Refused, known
from ..shards.cut import MOST_SHARDS

# Before that no exchange's data are of use; a slip of the keys costs calls.
EARLIEST = date(1900, 1, 1)


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
        """检查并补全请求;不对时抛出 Refused。"""
        for market in self.markets:
            known("market", market, markets.MARKETS)
        known("period", self.period, markets.PERIODS)
        asked = self.markets or tuple(markets.MARKETS)
        today = max(markets.today(market, at=at) for market in asked)
        end = self.end or max(markets.latest(market, at=at) for market in asked)
        if self.start < EARLIEST:
            said = _("The start %(start)s is before %(earliest)s.")
            raise Refused(said % {"start": self.start, "earliest": EARLIEST})
        if end > today:
            said = _("The end %(end)s is in the future: give %(today)s or earlier.")
            raise Refused(said % {"end": end, "today": today})
        if self.start > end:
            raise Refused(start_after_end(self.start, end))
        if not 0 <= self.shards <= MOST_SHARDS:
            raise Refused(_("The shards must be 1 to %d.") % MOST_SHARDS)
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
        wanted = [sorted(self.markets), sorted(set(self.codes)), self.period]
        text = json.dumps([*wanted, str(self.start), str(self.end)])
        return hashlib.sha256(text.encode()).hexdigest()

    def _check_codes(self) -> None:
        stocks = Stock.objects.wanted(markets=self.markets, codes=self.codes)
        if not self.codes:
            return
        found: dict[str, list[str]] = {}
        for market, code in stocks.values_list("market", "stock_code"):
            found.setdefault(code, []).append(market)
        if unknown := [code for code in self.codes if code not in found]:
            raise Refused(_unknown(unknown, self.markets))
        for code, where_found in found.items():
            if len(where_found) > 1 and not self.markets:
                said = _("Stock %(code)s exists in %(markets)s: say which market.")
                several = _(" and ").join(sorted(where_found))
                raise Refused(said % {"code": code, "markets": several})


def start_after_end(start: date, end: date) -> str:
    """区间反了。"""
    said = _("The start %(start)s is after the end %(end)s.")
    return said % {"start": start, "end": end}


def _unknown(codes: Sequence[str], wanted: Sequence[str]) -> str:
    if wanted:
        said = _("Unknown stock in %(markets)s: %(codes)s.")
    else:
        said = _("Unknown stock: %(codes)s.")
    remedy = _("Load the list with sync_stocks or import_stocks.")
    named = said % {"markets": ", ".join(wanted), "codes": ", ".join(codes)}
    return f"{named} {remedy}"
