"""一年里每个市场每天完整不完整。"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Count

from sync.engine import markets
from sync.engine.coverage import DAY
from sync.engine.markets import unit_start
from sync.engine.periods import PERIODS
from sync.engine.ports import Window
from sync.models import Coverage, MarketDay, Stock

from ..calendars.sessions import Calendar, Told
from .states import DayState, LateAt, day_state

YEAR = 365 * DAY


@dataclass(frozen=True, slots=True)
class DayOfMarket:
    """一个市场的一天(周、月是它们的第一天)。

    `late` counts stocks whose coverage ends before: of them nothing is known.
    `doubtful`: the market traded though its calendar knows no session, or nobody did on
    one.
    """

    day: date
    state: DayState
    row: MarketDay | None
    doubtful: bool
    late: int = 0


@dataclass(frozen=True, slots=True)
class MarketYear:
    """一个市场一年里的日子,旧的在前。"""

    market: str
    days: list[DayOfMarket]


def stored_kinds() -> list[str]:
    """列出存着 K 线的周期,按长短。"""
    rows = Coverage.objects.order_by().values_list("period", flat=True).distinct()
    found = {"day", *rows}
    return [period for period in PERIODS if period in found]


def markets_with(period: str) -> list[str]:
    """列出存着这种周期的 K 线的市场,按字母顺序。"""
    rows = Coverage.objects.filter(period=period, stock__deleted=False).order_by()
    found = set(rows.values_list("stock__market", flat=True).distinct())
    return sorted(found & set(markets.MARKETS))


def completeness(period: str, *, at: datetime) -> list[MarketYear]:
    """列出每个有股票的市场一年里的日子;没有核对过的交易日也在其中。

    Every market has the same days: those that are a session of none are left out, one
    that is no session of this market is CLOSED.
    """
    stocks = Stock.objects.active().order_by().values_list("market", flat=True)
    known = sorted(set(stocks.distinct()) & set(markets.MARKETS))
    window = Window(unit_start(at.date() - YEAR - DAY, period), at.date() + DAY)
    told = Told(known, window=window)
    rows, ends = _rows(known, period, window), _ends(period)
    years = [
        _Year(
            market,
            period,
            rows.get(market, {}),
            ends=ends.get(market, Counter()),
            told=told,
            at=at,
        )
        for market in known
    ]
    days = sorted({day for year in years for day in year.days})
    return [MarketYear(year.market, [year.day(day) for day in days]) for year in years]


def _rows(
    names: Sequence[str], period: str, window: Window
) -> dict[str, dict[date, MarketDay]]:
    days = (window.start, window.end)
    rows = MarketDay.objects.filter(market__in=names, period=period, day__range=days)
    found: dict[str, dict[date, MarketDay]] = {}
    for row in rows:
        found.setdefault(row.market, {})[row.day] = row
    return found


def _ends(period: str) -> dict[str, Counter[date]]:
    """各市场里,覆盖范围在各天结束的股票各有几只。"""
    stocks = Stock.objects.expected(period).order_by().values("pk")
    covered = Coverage.objects.filter(period=period, stock__in=stocks)
    ends = covered.order_by().values_list("stock__market", "end_date")
    found: dict[str, Counter[date]] = {}
    for market, end, number in ends.annotate(n=Count("pk")):
        found.setdefault(market, Counter())[end] = number
    return found


class _Year:
    """一个市场一年里的日历和核对的结果。"""

    def __init__(
        self,
        market: str,
        period: str,
        rows: Mapping[date, MarketDay],
        *,
        ends: Counter[date],
        told: Told,
        at: datetime,
    ) -> None:
        self.market, self._period = market, period
        final = markets.last_final(market, at=at)
        window = Window(unit_start(final - YEAR, period), final)
        self._calendar = Calendar(market, window=window, told=told)
        self._rows = {day: row for day, row in rows.items() if day >= window.start}
        sessions = self._calendar.announced(window)
        self._announced = {unit_start(day, period): day for day in sessions}
        self._final, self._late = final, LateAt(ends)

    @property
    def days(self) -> set[date]:
        """日历上有的,和核对时看到有人交易的。"""
        traded = {day for day, row in self._rows.items() if row.expected}
        return traded | self._announced.keys()

    def day(self, day: date) -> DayOfMarket:
        """一天的状态;这个市场没有的日子是 CLOSED。"""
        row, last = self._rows.get(day), self._announced.get(day)
        if (row is None and last is None) or day > self._final:
            return DayOfMarket(day, DayState.CLOSED, None, doubtful=False)
        late, close = self._late(day), self._calendar.close(last or day)
        state = day_state(row, close=close, late=late)
        doubtful = self._is_doubtful(row, last)
        return DayOfMarket(day, state, row, doubtful=doubtful, late=late)

    def _is_doubtful(self, row: MarketDay | None, announced: date | None) -> bool:
        if row is None or not _inside(self._calendar.known, row.day):
            return False
        return bool(row.expected) != bool(announced)


def _inside(window: Window | None, day: date) -> bool:
    return window is not None and window.start <= day <= window.end
