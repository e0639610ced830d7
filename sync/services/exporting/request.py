"""要导出什么,以及检查它。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from operator import attrgetter

from django.utils.translation import gettext as _

from sync.engine.ports import Window
from sync.models import Stock
from sync.models.stocks import EARLIEST, LATEST

from ..checks import check_choice, check_market, check_order, check_period
from ..errors import BadRequest
from ..stocks.named import require_readable
from .resampling import SOURCES

ADJUSTMENTS = ("none", "split")
BY_DAYS = ("week", "month")


@dataclass(frozen=True, slots=True)
class Listed:
    """要导出的一只股票。"""

    pk: int
    market: str
    code: str

    @property
    def key(self) -> tuple[str, str]:
        """返回市场和代码。"""
        return self.market, self.code


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """要哪些市场、哪些股票、哪种周期、哪个区间的 K 线;区间头尾都含。

    No markets means all, no codes all stocks, those included that have been deleted: a
    market without its dead is no sample. Without a start or an end there is no bound on
    that side. `resample` makes bars of that period from shorter ones, `adjust` is none
    or split. `changed_since` leaves what has not changed since that moment.
    """

    markets: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    period: str = "day"
    start: date | None = None
    end: date | None = None
    adjust: str = "none"
    resample: str = ""
    changed_since: datetime | None = None

    def checked(self) -> ExportRequest:
        """检查请求;不对时抛出 BadRequest。"""
        for market in self.markets:
            check_market(market, field="markets")
        check_period(self.period)
        check_choice("adjust", self.adjust, ADJUSTMENTS)
        self._check_resampling()
        window = self.window
        check_order(window.start, window.end)
        return replace(self, markets=tuple(dict.fromkeys(self.markets)))

    def _check_resampling(self) -> None:
        if not self.resample:
            if self.adjust == "split" and self.period in BY_DAYS:
                text = _(
                    "A stored %(period)s may lie on both sides of a split: make it of "
                    "adjusted days, with resample=%(period)s."
                )
                raise BadRequest("adjust", text % {"period": self.period})
            return
        check_choice("resample", self.resample, SOURCES)
        if self.period not in {"day", self.resample, self.source}:
            text = _("%(period)s is made from %(source)s, not from %(given)s.")
            values = {"period": self.resample, "source": self.source}
            raise BadRequest("resample", text % (values | {"given": self.period}))

    @property
    def source(self) -> str:
        """返回要读的周期。"""
        return SOURCES[self.resample] if self.resample else self.period

    @property
    def made(self) -> str:
        """返回写出来的周期。"""
        return self.resample or self.period

    @property
    def window(self) -> Window:
        """返回区间,两边没有限制的也有头尾。"""
        start, end = self.start or EARLIEST, self.end or LATEST
        return Window(max(start, EARLIEST), min(end, LATEST))

    def stocks(self) -> list[Listed]:
        """列出要的股票,按市场和代码;说出的代码没有时抛出 BadRequest。"""
        stocks = Stock.objects.order_by("market", "stock_code")
        if self.markets:
            stocks = stocks.filter(market__in=self.markets)
        named = self._named()
        if named:
            stocks = stocks.filter(stock_code__in={code for _market, code in named})
        rows = stocks.values_list("pk", "market", "stock_code")
        found = [Listed(*row) for row in rows]
        return [each for each in found if not named or each.key in named]

    def _named(self) -> set[tuple[str, str]]:
        """说出的代码是哪些市场的哪些股票;一个代码几个市场都有的,都算。"""
        found = Stock.objects.spelled(self.codes, markets=self.markets)
        for text, where in found.items():
            if not where:
                require_readable(text, field="codes")
        if unknown := [text for text, where in found.items() if not where]:
            message = _("Unknown stock: %(codes)s.")
            raise BadRequest("codes", message % {"codes": ", ".join(unknown)})
        return {key for where in found.values() for key in where}


def by_market(stocks: Sequence[Listed]) -> dict[str, list[Listed]]:
    """按市场分开;每个市场里的顺序不变。"""
    groups = groupby(stocks, key=attrgetter("market"))
    return {market: list(some) for market, some in groups}
