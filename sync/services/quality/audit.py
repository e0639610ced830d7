"""核对:存着的日 K 线和交易所的日历,缺口登记为等待补拉的失败。

What is a hole, and what is none:

- a session within a stock's coverage, from its first bar on, without a bar, although
  other stocks of the market have one: missing;
- a session on which no stock has a bar: a doubt about the calendar, told but not filed;
- missing days that a waiting failure contains: taken care of already;
- missing days that were asked for once more without a result: the stock was suspended.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice

from django.db import transaction

from sync.engine import markets
from sync.engine.ports import Failure, Task, Window
from sync.models import Coverage, FailureStatus, Stock, SyncFailure

from ..checks import check_market, check_order
from . import calendars
from .holes import PERIOD, Day, MarketDays, market_days, missing, runs_of, within

logger = logging.getLogger(__name__)

REASON = "hole"
# A day is told when fewer of the stocks than this have a bar; a few are always
# suspended.
WHOLE = 0.99
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Hole:
    """一只股票连着缺的几个交易日。"""

    stock: Stock
    window: Window
    sessions: int


@dataclass(slots=True)
class MarketAudit:
    """一个市场核对的结果。

    `known` is the range of the exchange's calendar, outside of which weekdays count as
    sessions. `missing` counts stock days: of these, `waiting` belong to failures that
    wait already, `suspended` have been asked for in vain, and the rest makes `holes`.
    `nobody` and `closed` are the doubts about the calendar.
    """

    market: str
    known: Window | None
    stocks: int = 0
    sessions: int = 0
    short_days: list[Day] = field(default_factory=list)
    nobody: list[date] = field(default_factory=list)
    closed: list[date] = field(default_factory=list)
    missing: int = 0
    waiting: int = 0
    suspended: int = 0
    holes: int = 0
    recorded: int = 0
    examples: list[Hole] = field(default_factory=list)


EXAMPLES = 10


def audit(
    *,
    window: Window,
    at: datetime,
    wanted: Sequence[str] = (),
    record: bool = False,
) -> list[MarketAudit]:
    """核对这些市场(空表示全部)在区间里的日 K 线,返回每个市场的结果。

    With `record` each hole is filed as a failure that waits; several at once file each
    hole once. Raises Refused for bad values.
    """
    for market in wanted:
        check_market(market)
    check_order(window.start, window.end)
    return [
        _audit_market(market, window=window, at=at, record=record)
        for market in dict.fromkeys(wanted or _markets())
    ]


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


def _markets() -> list[str]:
    covered = Coverage.objects.filter(period=PERIOD, stock__deleted=False)
    found = covered.order_by().values_list("stock__market", flat=True).distinct()
    return sorted(set(found) & set(markets.MARKETS))


def _audit_market(
    market: str, *, window: Window, at: datetime, record: bool
) -> MarketAudit:
    found = market_days(market, window=window)
    result = MarketAudit(
        market,
        calendars.known(market),
        stocks=found.stocks,
        sessions=len(found.days),
        short_days=[day for day in found.days if 0 < day.have < day.of * WHOLE],
        closed=found.closed,
    )
    if result.known:
        result.nobody = [
            day.day
            for day in found.days
            if not day.have and result.known.start <= day.day <= result.known.end
        ]
    holes = _holes(market, found, result)
    while chunk := list(islice(holes, CHUNK)):
        result.holes += len(chunk)
        result.examples += chunk[: EXAMPLES - len(result.examples)]
        if record:
            result.recorded += file_holes(chunk, at=at)
    logger.info(
        "Audit of %s: %d stocks, %d holes, %d of them recorded",
        market,
        result.stocks,
        result.holes,
        result.recorded,
        extra={"event": "market.audited"},
    )
    return result


def _holes(market: str, found: MarketDays, result: MarketAudit) -> Iterator[Hole]:
    """还没有人管的缺口;数字记在 `result` 里。"""
    traded = found.traded
    lacking = missing(found)
    while chunk := dict(islice(lacking, CHUNK)):
        stocks = Stock.objects.in_bulk(chunk)
        rows = _failures_of(market, [stock.stock_code for stock in stocks.values()])
        for pk, days in chunk.items():
            stock = stocks[pk]
            known_rows = rows.get(stock.stock_code, [])
            unknown = _unknown(days, known_rows, traded=traded, result=result)
            for window in runs_of(unknown, among=traded):
                inside = sum(window.start <= day <= window.end for day in unknown)
                yield Hole(stock, window, inside)


def _failures_of(market: str, codes: list[str]) -> dict[str, list[SyncFailure]]:
    rows: dict[str, list[SyncFailure]] = {}
    found = SyncFailure.objects.filter(
        stock_code__in=codes, market__in=(market, ""), period=PERIOD
    )
    for row in found.order_by():
        rows.setdefault(row.stock_code, []).append(row)
    return rows


def _unknown(
    days: list[date],
    rows: list[SyncFailure],
    *,
    traded: list[date],
    result: MarketAudit,
) -> list[date]:
    """缺的日子里,既不在等待补拉、也不是停牌的。"""
    waiting = [row.window for row in rows if row.status == FailureStatus.WAITING]
    suspended = [
        row.window for row in rows if _was_in_vain(row, days=days, traded=traded)
    ]
    result.missing += len(days)
    unknown = []
    for day in days:
        if _inside(day, waiting):
            result.waiting += 1
        elif _inside(day, suspended):
            result.suspended += 1
        else:
            unknown.append(day)
    return unknown


def _was_in_vain(row: SyncFailure, *, days: list[date], traded: list[date]) -> bool:
    """再要过一次也没有要到:当作停牌。"""
    if row.status == FailureStatus.DONE:
        # A hole that was fetched again is done, bars or not: on a day that is missing
        # still, the provider had none.
        return bool(row.reason_class == REASON)
    if row.status != FailureStatus.GIVEN_UP:
        return False
    # What kept the last attempt from success is its reason now, so that a hole is known
    # by its window alone: not one bar lies in it.
    inside = within(traded, row.window)
    return bool(inside) and set(inside) <= set(days)


def _inside(day: date, windows: list[Window]) -> bool:
    return any(window.start <= day <= window.end for window in windows)


def _failure(hole: Hole) -> Failure:
    stock, window = hole.stock, hole.window
    task = Task(
        stock_id=stock.pk,
        market=stock.market,
        code=stock.stock_code,
        period=PERIOD,
        windows=(window,),
        covered=None,
        final=window.end,
    )
    text = f"no bar on {hole.sessions} sessions on which others of the market have one"
    return Failure(task, window, REASON, text)


def _key(failure: Failure) -> tuple[str, str, str, date, date]:
    task, window = failure.task, failure.window
    return task.market, task.code, task.period, window.start, window.end
