"""缺口:一个市场里,哪些股票在哪些交易日没有 K 线。

One query counts the bars of each day, over the stocks that ought to have one. Only on
days that come out short can a bar be missing, so only those days are looked at again:
first a count for each stock, then the days themselves, of the stocks whose count falls
short. All queries go by a few hundred stocks, which keeps each well below the
database's timeout, and memory small.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import accumulate

from django.db.models import Count, OuterRef, QuerySet, Subquery

from sync.engine.ports import Window
from sync.models import Coverage, Kline, Stock

from . import calendars

PERIOD = "day"
CHUNK = 500  # stocks to a count
FEW = 50  # stocks whose days are held in memory


@dataclass(frozen=True, slots=True)
class Day:
    """一个交易日里,应该有 K 线的股票数和真的有的股票数。"""

    day: date
    have: int
    of: int


@dataclass(frozen=True, slots=True)
class MarketDays:
    """一个市场的交易日,以及每只股票应该在哪些日子有 K 线。

    `spans` holds the stocks' ids by the window in which each ought to have a bar on
    every session: what was asked for, within its coverage, from its first bar on.
    `closed` are days with bars on which the calendar knows no session.
    """

    spans: dict[Window, array[int]]
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


def market_days(market: str, *, window: Window) -> MarketDays:
    """数一数每个交易日有多少股票有 K 线。"""
    spans = _spans(market, window)
    counts = _counts(spans)
    sessions = calendars.sessions(market, window=window)
    days = [
        Day(day, counts.pop(day, 0), of)
        for day, of in zip(sessions, _expected(spans, sessions), strict=True)
    ]
    # What is left in `counts`: days with bars although the calendar has no session.
    return MarketDays(spans, [day for day in days if day.of], sorted(counts))


def missing(found: MarketDays) -> Iterator[tuple[int, list[date]]]:
    """逐只给出缺 K 线的股票和它缺的交易日,旧的在前。

    Only days on which another stock has a bar.
    """
    traded = found.traded
    short = [day.day for day in found.days if 0 < day.have < day.of]
    for window, ids in found.spans.items():
        inside = within(short, window)
        if not inside:
            continue
        hull = Window(inside[0], inside[-1])
        expected = within(traded, hull)
        for chunk in _chunks(ids, CHUNK):
            few = _falling_short(chunk, hull, len(expected), found.closed)
            for some in _chunks(few, FEW):
                yield from _absent(some, hull, expected)


def runs_of(days: Sequence[date], *, among: Sequence[date]) -> Iterator[Window]:
    """把连着的交易日合成区间;`among` 是全部交易日,旧的在前。"""
    first = last = None
    for day in days:
        here = bisect_left(among, day)
        if last is not None and here != last + 1:
            yield Window(among[first or 0], among[last])
            first = None
        first, last = here if first is None else first, here
    if last is not None:
        yield Window(among[first or 0], among[last])


def within(days: Sequence[date], window: Window) -> Sequence[date]:
    """取出区间里的日子;`days` 要旧的在前。"""
    return days[bisect_left(days, window.start) : bisect_right(days, window.end)]


def _spans(market: str, window: Window) -> dict[Window, array[int]]:
    rows = Coverage.objects.filter(
        stock__market=market,
        stock__deleted=False,
        period=PERIOD,
        start_date__lte=window.end,
        end_date__gte=window.start,
    )
    covered = {
        stock_id: (start, end)
        for stock_id, start, end in rows.values_list(
            "stock_id", "start_date", "end_date"
        )
    }
    spans: dict[Window, array[int]] = {}
    for chunk in _chunks(array("q", sorted(covered)), CHUNK):
        for stock_id, listed in _first_bars(chunk):
            start, end = covered[stock_id]
            start, end = max(start, window.start, listed), min(end, window.end)
            if start <= end:
                spans.setdefault(Window(start, end), array("q")).append(stock_id)
    return spans


def _first_bars(ids: Sequence[int]) -> list[tuple[int, date]]:
    """每只股票的第一根 K 线:之前当作还没有上市。"""
    # A look-up in the index for each: MIN() would read every bar there is.
    bars = Kline.objects.filter(stock_id=OuterRef("pk"), period=PERIOD)
    oldest = Subquery(bars.order_by("time").values("time")[:1])
    stocks = Stock.objects.filter(pk__in=ids).annotate(first=oldest)
    firsts = stocks.exclude(first=None).order_by().values_list("pk", "first")
    return [(stock_id, first.date()) for stock_id, first in firsts]


def _counts(spans: dict[Window, array[int]]) -> Counter[date]:
    counts: Counter[date] = Counter()
    for window, ids in spans.items():
        for chunk in _chunks(ids, CHUNK):
            by_day = _bars(chunk, window).values_list("time").annotate(n=Count("*"))
            for moment, number in by_day:
                counts[moment.date()] += number
    return counts


def _expected(
    spans: dict[Window, array[int]], sessions: Sequence[date]
) -> Iterator[int]:
    """每个交易日有多少只股票应该有 K 线。"""
    changes = [0] * (len(sessions) + 1)
    for window, ids in spans.items():
        changes[bisect_left(sessions, window.start)] += len(ids)
        changes[bisect_right(sessions, window.end)] -= len(ids)
    return accumulate(changes[:-1])


def _falling_short(
    ids: Sequence[int], window: Window, expected: int, closed: Sequence[date]
) -> array[int]:
    bars = _bars(ids, window).exclude(time__in=[_time(day) for day in closed])
    counted = dict(bars.values_list("stock_id").annotate(n=Count("*")))
    return array("q", (pk for pk in ids if counted.get(pk, 0) < expected))


def _absent(
    ids: Sequence[int], window: Window, expected: Sequence[date]
) -> Iterator[tuple[int, list[date]]]:
    have: dict[int, set[date]] = {pk: set() for pk in ids}
    bars = _bars(ids, window).values_list("stock_id", "time")
    for stock_id, moment in bars.iterator():
        have[stock_id].add(moment.date())
    for stock_id, days in have.items():
        yield stock_id, [day for day in expected if day not in days]


def _bars(ids: Sequence[int], window: Window) -> QuerySet[Kline]:
    return Kline.objects.filter(
        stock_id__in=ids,
        period=PERIOD,
        time__range=(_time(window.start), _time(window.end)),
    ).order_by()


def _time(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _chunks(ids: array[int], size: int) -> Iterator[array[int]]:
    return (ids[first : first + size] for first in range(0, len(ids), size))
