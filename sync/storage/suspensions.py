"""停牌:从取到的一段里学到的,和它的 K 线在同一个事务里写下。

A day without a bar is no proof by itself: the provider may have been late, and the
audit asks for it once more. What proves a suspension, so that nobody asks again:

- the provider says that nothing was traded (a bar of zeros);
- days on which others traded, more than one, all of them older than the grace for late
  bars, in an answer that had bars around them; or the end of what is covered, which is
  older than that, too.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import chain
from operator import attrgetter, sub
from typing import NamedTuple

from ..engine.coverage import DAY, GRACE, SATURDAY, has_weekday, hull
from ..engine.markets import trade_date
from ..engine.paging import weekdays
from ..engine.periods import PERIODS
from ..engine.ports import Part, Window
from ..models import Suspension

# A step from one bar to the next below which no two sessions lie between them.
STEP = timedelta(days=2, hours=12)
FEW = 10  # stocks that are no sample of their market
WEEKEND = timedelta(days=3, hours=12)
FRIDAY = 4  # of date.weekday(); what trades after hours there ends on Saturday, UTC
MANY = 2  # sessions without a bar that are no accident
GAP, ZEROS = "gap", "zeros"
_TIME = attrgetter("time")


class Idle(NamedTuple):
    """一只股票没有交易的一段。"""

    stock_id: int
    period: str
    window: Window
    source: str


def write_suspensions(parts: Sequence[Part]) -> None:
    """写下这几段里学到的停牌,和已有的相接的合成一段。

    To be called inside a transaction, in one order for all.
    """
    found = sorted(learned(parts), key=lambda one: (one.stock_id, one.window.start))
    if not found:
        return
    rows = Suspension.objects.filter(stock_id__in={one.stock_id for one in found})
    there: dict[tuple[int, str], list[Suspension]] = {}
    for row in rows.order_by("stock_id", "start_date"):
        there.setdefault((row.stock_id, row.period), []).append(row)
    for one in found:
        _store(one, there.setdefault((one.stock_id, one.period), []))


def learned(parts: Sequence[Part]) -> Iterator[Idle]:
    """给出这几段里学到的停牌;周线和月线不说明什么。"""
    by_market: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        if part.task.period not in {"week", "month"}:
            by_market.setdefault((part.task.market, part.task.period), []).append(part)
    for (market, period), alike in by_market.items():
        traded = _traded(alike, market=market, period=period)
        yield from chain.from_iterable(map(_idle_days, alike))
        yield from _long_gaps(alike, traded)


def _idle_days(part: Part) -> Iterator[Idle]:
    for day in sorted({_day(part, time) for time in part.idle}):
        yield Idle(part.task.stock_id, part.task.period, Window(day, day), ZEROS)


def _long_gaps(parts: Sequence[Part], traded: Sequence[date]) -> Iterator[Idle]:
    unproven: list[Idle] = []
    for part in parts:
        settled = part.task.final - GRACE
        for window in _gaps(part, traded):
            gap = Window(window.start, min(window.end, settled))
            if gap.start > gap.end or not has_weekday(gap):
                continue
            one = Idle(part.task.stock_id, part.task.period, gap, GAP)
            if _is_many(gap, traded, alone=len(parts) == 1):
                yield one
            elif part.covered and gap.end == min(part.covered.end, settled):
                unproven.append(one)
    # The end of what is covered: of a suspension that goes on, the others have no days
    # to show. Where most have none, the market was closed.
    if len(parts) < FEW or 2 * len(unproven) <= len(parts):
        yield from unproven


def _gaps(part: Part, traded: Sequence[date]) -> Iterator[Window]:
    """一段里两根 K 线之间、最后一根之后、第一根之前的空白。"""
    if not part.rejected and _is_dense(part, traded):
        times = [part.klines[0].time, part.klines[-1].time]
    else:
        # What was rejected is a bar all the same.
        rejected = [bar.time for bar in part.rejected if bar.time]
        times = list(map(_TIME, part.klines))
        times = sorted({*times, *rejected}) if rejected else times
        yield from _inner_gaps(part, times)
    if part.covered is None:
        return
    if not times:
        if part.task.covered:
            yield part.covered
        return
    yield _between(_day(part, times[-1]), part.covered.end + DAY)
    if _trades_before(part):
        yield _between(part.covered.start - DAY, _day(part, times[0]))


def _is_dense(part: Part, traded: Sequence[date]) -> bool:
    """有人交易的每一天都有一根:没有空白,不用一根一根地看。"""
    if not part.klines or PERIODS[part.task.period].intraday:
        return False
    first, last = part.klines[0].time.date(), part.klines[-1].time.date()
    among = bisect_right(traded, last) - bisect_left(traded, first)
    return len(part.klines) == among


def _inner_gaps(part: Part, times: Sequence[datetime]) -> Iterator[Window]:
    steps = map(sub, times[1:], times)
    for place, step in enumerate(steps):
        if step > STEP and not _is_weekend(times[place], step):
            yield _between(_day(part, times[place]), _day(part, times[place + 1]))


def _is_weekend(before: datetime, step: timedelta) -> bool:
    """判断两根之间只隔着一个周末:最多见,先排除。"""
    return step < WEEKEND and before.weekday() in {FRIDAY, SATURDAY}


def _trades_before(part: Part) -> bool:
    """这一段以前,这只股票交易过吗;还没有上市就不是停牌。"""
    assert part.covered
    task = part.task
    earlier = hull([*task.windows, *([task.covered] if task.covered else [])])
    return earlier.start < part.covered.start


def _between(before: date, after: date) -> Window:
    return Window(before + DAY, after - DAY)


def _is_many(gap: Window, traded: Sequence[date], *, alone: bool) -> bool:
    """空白里有没有几天是别的股票交易了的;没有别的可比就数工作日。"""
    if alone:
        return weekdays(gap) >= MANY
    return bisect_right(traded, gap.end) - bisect_left(traded, gap.start) >= MANY


def _traded(parts: Iterable[Part], *, market: str, period: str) -> list[date]:
    """这几段里有人交易的日子,旧的在前。"""
    times = set(chain.from_iterable(map(_TIME, part.klines) for part in parts))
    if not PERIODS[period].intraday:
        return sorted(time.date() for time in times)
    return sorted({trade_date(time, market=market, period=period) for time in times})


def _day(part: Part, time: datetime) -> date:
    return trade_date(time, market=part.task.market, period=part.task.period)


def _store(one: Idle, rows: list[Suspension]) -> None:
    """写下一段;和已有的一段相接就加长它。"""
    start, end = one.window.start, one.window.end
    for row in rows:
        if row.start_date <= end + DAY and start <= row.end_date + DAY:
            if row.start_date <= start and end <= row.end_date:
                return
            row.end_date = max(row.end_date, end)
            if start < row.start_date:
                row.delete()
                row.pk, row.start_date = None, start
            row.save()
            return
    rows.append(
        Suspension.objects.create(
            stock_id=one.stock_id,
            period=one.period,
            start_date=start,
            end_date=end,
            source=one.source,
        )
    )
