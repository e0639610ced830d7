"""一次补拉要做的事:占有的记录,按股票合成任务。"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from functools import cache, partial
from itertools import groupby

from sync.engine import coverage, markets
from sync.engine.ports import Task, Window
from sync.models import Coverage, Finished, Restatement, Stock, SyncFailure, SyncRun
from sync.models.failures import SyncFailureQuerySet
from sync.models.stocks import EARLIEST
from sync.storage.retrying import Retrying, at_once

from ..calendars.closings import closings_of
from .anew import restated

CHUNK = 500


def held_rows(run: SyncRun) -> SyncFailureQuerySet:
    """留下这次补拉占有、还没有结果的记录。"""
    return SyncFailure.objects.held_by(run.pk)


def retry_tasks(
    run: SyncRun, market: str, *, at: datetime, retrying: Retrying = at_once
) -> Iterator[Task]:
    """逐个给出一个市场的补拉任务,一只股票的一种周期一个。

    Each row's own window, whatever is covered: a row may be a hole in the coverage.
    Windows that overlap or touch become one; one that had not begun when the retry was
    asked for is left out, and so is what the run has tried already. Stocks that may
    have stopped a run before come last: they would stop this one as well.
    """
    held = held_rows(run).filter(market=market)
    codes = retrying(held.codes_poison_last)
    for first in range(0, len(codes), CHUNK):
        chunk = codes[first : first + CHUNK]
        yield from retrying(partial(_chunk, run, market, chunk, at=at))


def merged(windows: Iterable[Window]) -> list[Window]:
    """把重叠或相接的区间合成一个,旧的在前。"""
    whole: list[Window] = []
    for window in sorted(windows, key=lambda window: window.start):
        if whole and window.start <= whole[-1].end + coverage.DAY:
            whole[-1] = coverage.hull([whole[-1], window])
        else:
            whole.append(window)
    return whole


def _chunk(run: SyncRun, market: str, codes: list[str], *, at: datetime) -> list[Task]:
    tasks = []
    stocks = Stock.objects.filter(market=market, stock_code__in=codes)
    ids = dict(stocks.values_list("stock_code", "pk"))
    rows = list(held_rows(run).filter(market=market, stock_code__in=codes))
    known = {
        (row.stock_id, row.period): row.window
        for row in Coverage.objects.filter(stock__in=ids.values())
    }
    of_run = Finished.objects.of(run.pk).filter(stock__in=ids.values())
    tried = set(of_run.values_list("stock_id", "period"))
    begun = markets.today(market, at=run.created_at)
    today = markets.today(market, at=at)
    closings = cache(lambda period: closings_of(market, period, at=at))
    changed = Restatement.objects.open().filter(stock__in=ids.values())
    states = {row.key: row.state for row in changed}
    rows.sort(key=lambda row: row.stock_key)
    for (_market, code, period), of_stock in groupby(rows, lambda row: row.stock_key):
        windows = due(of_stock, period, begun=begun, today=today)
        if windows and code in ids and (ids[code], period) not in tried:
            task = Task(
                stock_id=ids[code],
                market=market,
                code=code,
                period=period,
                windows=tuple(windows),
                covered=known.get((ids[code], period)),
                final=markets.last_final(market, at=at),
                closings=closings(period),
            )
            state = states.get((ids[code], period), "")
            tasks.append(restated(task, state, asks=True, at=at))
    return sorted(tasks, key=lambda task: codes.index(task.code))


def due(
    rows: Iterable[SyncFailure], period: str, *, begun: date, today: date
) -> list[Window]:
    """一只股票一种周期要取的区间:今天以后的不取,周和月扩展到整个单位。"""
    return merged(
        coverage.widen(
            Window(max(row.start_date, EARLIEST), min(row.end_date, today)), period
        )
        for row in rows
        if row.start_date <= begun
    )
