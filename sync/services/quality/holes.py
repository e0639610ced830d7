"""日、周、月 K 线的缺口:一个市场里,哪些股票在哪些交易日没有 K 线。

One query counts the bars of each day, over the stocks that ought to have one. Only on
days that come out short can a bar be missing, so only those days are looked at again:
first a count for each stock, then the days themselves, of the stocks whose count falls
short.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate

from django.db.models import Count, QuerySet

from sync.engine.coverage import unit_end
from sync.engine.markets import unit_start
from sync.engine.ports import Window
from sync.models import Kline

from ..calendars.sessions import Calendar, each_day
from .spans import CHUNK, Day, Spans, chunks, midnight, spans_of

FEW = 50  # stocks whose days are held in memory
Lacking = tuple[int, dict[date, int]]


@dataclass(frozen=True, slots=True)
class MarketDays:
    """一个市场的交易日,以及每只股票应该在哪些日子有 K 线。

    `closed` are days with bars that are no sessions: the calendar knows none, and most
    of the market did not trade.
    """

    period: str
    spans: Spans
    days: list[Day]
    closed: list[date]

    @property
    def stocks(self) -> int:
        """返回要核对的股票数。"""
        return sum(map(len, self.spans.values()))

    @property
    def traded(self) -> list[date]:
        """列出至少有一只股票有 K 线的交易日。"""
        return [day.day for day in self.days if day.have]

    def missing(self) -> Iterator[Lacking]:
        """逐只给出缺 K 线的股票,它缺的交易日和各缺几根,旧的在前。

        Only days on which another stock has a bar.
        """
        traded = self.traded
        short = [day.day for day in self.days if 0 < day.have < day.of]
        for window, ids in self.spans.items():
            inside = within(short, window)
            if not inside:
                continue
            hull = Window(inside[0], inside[-1])
            expected = within(traded, hull)
            for chunk in chunks(ids, CHUNK):
                few = self._falling_short(chunk, hull, len(expected))
                for some in chunks(few, FEW):
                    yield from self._absent(some, hull, expected)

    def _falling_short(
        self, ids: Sequence[int], window: Window, expected: int
    ) -> array[int]:
        closed = [midnight(day) for day in self.closed]
        bars = _bars(ids, self.period, window).exclude(time__in=closed)
        counted = dict(bars.values_list("stock_id").annotate(n=Count("*")))
        return array("q", (pk for pk in ids if counted.get(pk, 0) < expected))

    def _absent(
        self, ids: Sequence[int], window: Window, expected: Sequence[date]
    ) -> Iterator[Lacking]:
        have: dict[int, set[date]] = {pk: set() for pk in ids}
        bars = _bars(ids, self.period, window).values_list("stock_id", "time")
        for stock_id, moment in bars.iterator():
            have[stock_id].add(moment.date())
        for stock_id, days in have.items():
            yield stock_id, {day: 1 for day in expected if day not in days}


def market_days(calendar: Calendar, period: str, *, window: Window) -> MarketDays:
    """数一数每个交易日有多少股票有 K 线。"""
    spans = spans_of(calendar.market, period, window=window)
    counts = _counts(spans, period)
    units = sorted({unit_start(day, period) for day in each_day(window)} | set(counts))
    of = dict(zip(units, _expected(spans, units), strict=True))
    # A day on which most of the market traded is a session, whatever anybody says; so
    # the calendar, which is slow to load, is asked about the others only.
    days = [
        Day(unit, counts[unit], of[unit])
        for unit in units
        if of[unit]
        and (2 * counts[unit] > of[unit] or calendar.announced(_days_of(unit, period)))
    ]
    sessions = {day.day for day in days}
    return MarketDays(period, spans, days, sorted(counts.keys() - sessions))


def within(days: Sequence[date], window: Window) -> Sequence[date]:
    """取出区间里的日子;`days` 要旧的在前。"""
    return days[bisect_left(days, window.start) : bisect_right(days, window.end)]


def _days_of(unit: date, period: str) -> Window:
    return Window(unit, unit_end(unit, period))


def _counts(spans: Spans, period: str) -> Counter[date]:
    counts: Counter[date] = Counter()
    for window, ids in spans.items():
        for chunk in chunks(ids, CHUNK):
            bars = _bars(chunk, period, window)
            for moment, number in bars.values_list("time").annotate(n=Count("*")):
                counts[moment.date()] += number
    return counts


def _expected(spans: Spans, days: Sequence[date]) -> Iterator[int]:
    """每个交易日有多少只股票应该有 K 线。"""
    changes = [0] * (len(days) + 1)
    for window, ids in spans.items():
        changes[bisect_left(days, window.start)] += len(ids)
        changes[bisect_right(days, window.end)] -= len(ids)
    return accumulate(changes[:-1])


def _bars(ids: Sequence[int], period: str, window: Window) -> QuerySet[Kline]:
    return Kline.objects.filter(
        stock_id__in=ids,
        period=period,
        time__range=(midnight(window.start), midnight(window.end)),
    ).order_by()
