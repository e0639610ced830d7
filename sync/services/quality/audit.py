"""核对:存着的 K 线和交易所的日历、和市场自己相比,缺口登记为等待补拉的失败。

What is a hole, and what is none:

- a session within a stock's coverage, from its first bar on, without a bar, although
  other stocks of the market have one: missing; of minutes, with fewer bars than usual;
- a session on which no stock has a bar: a doubt about the calendar, told but not filed;
- missing days that a waiting failure contains: taken care of already;
- missing days on which the provider is known to have had nothing, or that were asked
  for once more without a result: the stock was suspended.

What was found is written as market days, of a market and period all at once: an audit
that is killed leaves them as they were.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice

from django.db import transaction

from sync.engine import coverage, markets
from sync.engine.periods import PERIODS
from sync.engine.ports import Failure, Task, Window
from sync.models import (
    Coverage,
    FailureStatus,
    Kline,
    Stock,
    Suspension,
    SyncFailure,
)

from ..calendars.sessions import Calendar
from ..checks import check_market, check_order
from .days import Tally, write_days
from .holes import MarketDays, market_days, within
from .minutes import MinuteDays, minute_days
from .spans import Day

logger = logging.getLogger(__name__)

REASON = "hole"
# A day is told when fewer of the stocks than this have a bar; a few are always
# suspended.
WHOLE = 0.99
CHUNK = 500


Found = MarketDays | MinuteDays


@dataclass(frozen=True, slots=True)
class Hole:
    """一只股票一种周期里连着缺的几个交易日。"""

    stock: Stock
    period: str
    window: Window
    sessions: int


@dataclass(slots=True)
class MarketAudit:
    """一个市场一种周期核对的结果。

    `known` is the range of the calendar, outside of which weekdays count as sessions.
    `missing` counts stock days: of these, `waiting` belong to failures that wait
    already, `suspended` were asked for in vain or are known to have no bars, and the
    rest makes `holes`, which are all in `found`. `untraded` are the sessions without a
    bar; those that the calendar knows, `nobody`, and `closed` are doubts about it.
    """

    market: str
    period: str
    known: Window | None = None
    stocks: int = 0
    sessions: int = 0
    days: list[Day] = field(default_factory=list)
    short_days: list[Day] = field(default_factory=list)
    untraded: list[date] = field(default_factory=list)
    nobody: list[date] = field(default_factory=list)
    closed: list[date] = field(default_factory=list)
    missing: int = 0
    waiting: int = 0
    suspended: int = 0
    holes: int = 0
    recorded: int = 0
    found: list[Hole] = field(default_factory=list)


def audit(
    *,
    window: Window,
    at: datetime,
    wanted: Sequence[str] = (),
    record: bool = False,
) -> list[MarketAudit]:
    """核对这些市场(空表示全部)在区间里存着的 K 线,返回每个市场每种周期的结果。

    With `record` each hole is filed as a failure that waits; several at once file each
    hole once. Raises Refused for bad values.
    """
    for market in wanted:
        check_market(market)
    check_order(window.start, window.end)
    return [
        audit_market(market, period, window=window, at=at, record=record)
        for market, period in stored_periods(wanted)
    ]


def stored_periods(wanted: Sequence[str] = ()) -> list[tuple[str, str]]:
    """列出存着 K 线的市场(或者点了名的)和它们的周期,每个市场日线在前。"""
    rows = Coverage.objects.filter(stock__deleted=False).order_by()
    stored = set(rows.values_list("stock__market", "period").distinct())
    asked = dict.fromkeys(wanted) or sorted({market for market, _period in stored})
    periods = ["day", *(period for period in PERIODS if period != "day")]
    return [
        (market, period)
        for market in asked
        if market in markets.MARKETS
        for period in periods
        if period == "day" or (market, period) in stored
    ]


def audit_market(
    market: str, period: str, *, window: Window, at: datetime, record: bool = False
) -> MarketAudit:
    """核对一个市场的一种周期,写下每天的结果。"""
    calendar = Calendar(market, window=window)
    result = _counted(calendar, period, window=window, at=at, record=record)
    result.known = calendar.known
    if result.known:
        known = result.known
        result.nobody = [
            day for day in result.untraded if known.start <= day <= known.end
        ]
    logger.info(
        "Audit of %s %s: %d stocks, %d holes, %d of them recorded",
        market,
        period,
        result.stocks,
        result.holes,
        result.recorded,
        extra={"event": "market.audited"},
    )
    return result


def recount(market: str, period: str, days: Sequence[date], *, at: datetime) -> None:
    """重新数一数刚写过的这些日子;日期要旧的在前。

    Cheap for few days on which most of the market has traded: no calendar is loaded.
    """
    for window in _consecutive(days):
        calendar = Calendar(market, window=window)
        _counted(calendar, period, window=window, at=at, record=False)


def _consecutive(days: Sequence[date]) -> Iterator[Window]:
    """连着的日子合成区间;周末断开,免得去问日历。"""
    start = end = None
    for day in days:
        if start is None or end is None or day > end + coverage.DAY:
            if start and end:
                yield Window(start, end)
            start = day
        end = day
    if start and end:
        yield Window(start, end)


def _counted(
    calendar: Calendar, period: str, *, window: Window, at: datetime, record: bool
) -> MarketAudit:
    """数出缺的,登记缺口,写下每天的结果。"""
    market = calendar.market
    found = found_in(calendar, period, window=window)
    result = MarketAudit(
        market,
        period,
        stocks=found.stocks,
        sessions=len(found.days),
        days=found.days,
        short_days=[day for day in found.days if 0 < day.have < day.of * WHOLE],
        untraded=[day.day for day in found.days if not day.have],
        closed=found.closed,
    )
    tally = Tally()
    holes = _holes(market, period, found, result, tally)
    while chunk := list(islice(holes, CHUNK)):
        result.holes += len(chunk)
        result.found += chunk
        if record:
            result.recorded += file_holes(chunk, at=at)
    write_days(market, period, found.days, tally, window=window, at=at)
    return result


def found_in(calendar: Calendar, period: str, *, window: Window) -> Found:
    """数出一个市场在区间里有的和缺的,还不问为什么缺。"""
    if PERIODS[period].intraday:
        return minute_days(calendar, period, window=window)
    return market_days(calendar, period, window=window)


def file_holes(holes: Iterable[Hole], *, at: datetime) -> int:
    """把缺口登记为等待补拉的失败,返回新登记了几条。

    The stocks are locked before looking, so that of two audits at once one files each
    hole, and a row that a retry holds is never touched.
    """
    failures = [_failure(hole) for hole in holes]
    codes = {failure.task.code for failure in failures}
    with transaction.atomic():
        Stock.objects.lock(failure.task.stock_id for failure in failures)
        waiting = SyncFailure.objects.waiting().filter(stock_code__in=codes)
        there = {row.key for row in waiting.order_by()}
        new = [failure for failure in failures if _key(failure) not in there]
        SyncFailure.objects.record(new, run_id=None, at=at)
    return len(new)


def _holes(
    market: str, period: str, found: Found, result: MarketAudit, tally: Tally
) -> Iterator[Hole]:
    """还没有人管的缺口;数字记在 `result` 和 `tally` 里。"""
    traded = found.traded
    lacking = found.missing()
    while chunk := dict(islice(lacking, CHUNK)):
        stocks = Stock.objects.in_bulk(chunk)
        codes = [stock.stock_code for stock in stocks.values()]
        rows = failures_of(market, period, codes)
        idle = suspensions_of(period, chunk)
        for pk, days in chunk.items():
            stock = stocks[pk]
            known, quiet = rows.get(stock.stock_code, []), idle.get(pk, [])
            kinds = judged(stock, days, known, quiet, traded=traded)
            unknown = _count(days, kinds, result, tally)
            for window in runs_of(unknown, among=traded):
                inside = sum(window.start <= day <= window.end for day in unknown)
                yield Hole(stock, period, window, inside)


def failures_of(
    market: str, period: str, codes: list[str]
) -> dict[str, list[SyncFailure]]:
    """取出这些股票的失败记录,按代码;没有写市场的也算。"""
    rows: dict[str, list[SyncFailure]] = {}
    found = SyncFailure.objects.filter(
        stock_code__in=codes, market__in=(market, ""), period=period
    )
    for row in found.order_by():
        rows.setdefault(row.stock_code, []).append(row)
    return rows


def suspensions_of(period: str, ids: Iterable[int]) -> dict[int, list[Window]]:
    """已经知道没有交易的区间;日线上知道的,分钟线也算。"""
    periods = {period, "day"} if PERIODS[period].intraday else {period}
    rows = Suspension.objects.filter(stock_id__in=list(ids), period__in=periods)
    found: dict[int, list[Window]] = {}
    for row in rows:
        found.setdefault(row.stock_id, []).append(row.window)
    return found


def judged(
    stock: Stock,
    days: Collection[date],
    rows: list[SyncFailure],
    idle: list[Window],
    *,
    traded: Sequence[date],
) -> dict[date, str]:
    """一只股票缺的每一天是什么:等着补拉的、停牌的,还是缺口。"""
    waiting = [units_of(row) for row in rows if row.status == FailureStatus.WAITING]
    vain = [
        units_of(row)
        for row in rows
        if was_in_vain(row, stock, days=days, traded=traded)
    ]
    return {
        day: "waiting"
        if _inside(day, waiting)
        else "suspended"
        if _inside(day, vain) or _inside(day, idle)
        else "hole"
        for day in days
    }


def _count(
    days: dict[date, int], kinds: dict[date, str], result: MarketAudit, tally: Tally
) -> list[date]:
    """记下缺的日子,返回是缺口的那些,旧的在前。"""
    for day, kind in kinds.items():
        tally.add(day, kind, bars=days[day])
    counted = Counter(kinds.values())
    result.missing += len(days)
    result.waiting += counted["waiting"]
    result.suspended += counted["suspended"]
    return sorted(day for day, kind in kinds.items() if kind == "hole")


def was_in_vain(
    row: SyncFailure, stock: Stock, *, days: Container[date], traded: Sequence[date]
) -> bool:
    """再要过一次也没有要到:当作停牌;`days` 是 `traded` 里缺的。"""
    if row.status == FailureStatus.DONE:
        # A hole that was fetched again is done, bars or not: on a day that is missing
        # still, the provider had none.
        return bool(row.reason_class == REASON)
    if row.status != FailureStatus.GIVEN_UP:
        return False
    # What kept the last attempt from success is its reason now, so that a hole is known
    # by its window alone: not one bar lies in it.
    units = units_of(row)
    inside = within(traded, units)
    if not inside or any(day not in days for day in inside):
        return False
    return not _has_bars_beside(stock, row.period, units, Window(inside[0], inside[-1]))


def _has_bars_beside(stock: Stock, period: str, whole: Window, seen: Window) -> bool:
    """在 `whole` 里、看过的一段的前后有没有 K 线:看的也许只是几天。"""
    before = Window(whole.start, seen.start - coverage.DAY)
    after = Window(seen.end + coverage.DAY, whole.end)
    return any(
        Kline.objects.of(stock, period=period, start=part.start, end=part.end).exists()
        for part in (before, after)
        if part.start <= part.end
    )


def units_of(row: SyncFailure) -> Window:
    """返回一条失败记录的区间,补成整周、整月。"""
    return coverage.widen(row.window, row.period)


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


def _inside(day: date, windows: list[Window]) -> bool:
    return any(window.start <= day <= window.end for window in windows)


def _failure(hole: Hole) -> Failure:
    stock, window = hole.stock, hole.window
    task = Task(
        stock_id=stock.pk,
        market=stock.market,
        code=stock.stock_code,
        period=hole.period,
        windows=(window,),
        covered=None,
        final=window.end,
    )
    text = f"no bar on {hole.sessions} sessions on which others of the market have one"
    if PERIODS[hole.period].intraday:
        text = f"fewer bars than usual on {hole.sessions} sessions"
    return Failure(task, window, REASON, text)


def _key(failure: Failure) -> tuple[str, str, str, date, date]:
    task, window = failure.task, failure.window
    return task.market, task.code, task.period, window.start, window.end
