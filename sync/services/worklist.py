"""一次运行要做的事:按市场分组的任务。"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db.models import Max, Q

from ..engine import coverage, markets
from ..engine.ports import Task, Window
from ..models import Coverage, RunKind, Stock, SyncRun
from ..models.stocks import StockQuerySet
from ..patience import Patient, at_once
from .retrylist import held_rows, retry_tasks

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Slice:
    """全部股票里的一份:编号除以 `of` 余 `number` 的那些。"""

    number: int = 0
    of: int = 1

    def holds(self, stock_id: int) -> bool:
        """这只股票在不在里面。"""
        return stock_id % self.of == self.number


ALL = Slice()


def stocks_of(run: SyncRun) -> StockQuerySet:
    """这次运行涉及的股票。"""
    return Stock.objects.wanted(markets=run.markets, codes=run.codes)


def count_of(run: SyncRun) -> int:
    """这次运行涉及多少只股票。"""
    if run.kind == RunKind.RETRY:
        return (
            held_rows(run).values("market", "stock_code", "period").distinct().count()
        )
    return stocks_of(run).count()


def markets_of(run: SyncRun, *, patient: Patient = at_once) -> list[str]:
    """这次运行涉及的市场,按字母顺序。"""
    rows = held_rows(run) if run.kind == RunKind.RETRY else stocks_of(run)
    found = rows.order_by().values_list("market", flat=True).distinct()
    return sorted(patient(lambda: set(found)) & set(markets.MARKETS))


def tasks_of(
    run: SyncRun,
    market: str,
    *,
    at: datetime,
    of: Slice = ALL,
    patient: Patient = at_once,
) -> Iterator[Task]:
    """一个市场的任务,包括已经齐全、没有区间要取的。

    Read in chunks, each of which `patient` may read again: an error that got through
    would end the iterator.
    """
    if run.kind == RunKind.RETRY:
        tasks = retry_tasks(run, market, at=at, patient=patient)
        return (task for task in tasks if of.holds(task.stock_id))
    return _batch_tasks(run, market, at=at, of=of, patient=patient)


def _batch_tasks(
    run: SyncRun, market: str, *, at: datetime, of: Slice, patient: Patient
) -> Iterator[Task]:
    """没有取齐的股票。

    Never loaded ones first, then the stalest. The order is fixed at the start as a list
    of ids, the rest is read in chunks: memory hardly grows with the market, and no
    cursor stays open while others write. A weekend at the end is not asked for: it is
    not counted as covered either, so a rare session on it comes with the next days.
    """
    final = markets.last_final(market, at=at)
    latest = markets.latest(market, at=at)
    wanted = Window(run.window.start, min(run.window.end, latest))
    if wanted.start > wanted.end:
        return
    wanted = coverage.widen(wanted, run.period)
    plan = coverage.everything if run.force else coverage.missing
    for stock_id, code, covered in _rows(run, market, of, patient=patient):
        yield Task(
            stock_id=stock_id,
            market=market,
            code=code,
            period=run.period,
            windows=tuple(filter(coverage.has_weekday, plan(wanted, covered))),
            covered=covered,
            final=final,
        )


Row = tuple[int, str, Window | None]


def _rows(run: SyncRun, market: str, of: Slice, *, patient: Patient) -> Iterator[Row]:
    ids = patient(partial(_ids, run, market, of))
    for first in range(0, len(ids), CHUNK):
        yield from patient(partial(_chunk, run, ids[first : first + CHUNK]))


def _chunk(run: SyncRun, ids: array[int]) -> list[Row]:
    codes = dict(Stock.objects.filter(pk__in=ids).values_list("pk", "stock_code"))
    coverage_rows = Coverage.objects.filter(stock__in=ids, period=run.period)
    known = {row.stock_id: row.window for row in coverage_rows}
    return [(pk, codes[pk], known.get(pk)) for pk in ids if pk in codes]


def _ids(run: SyncRun, market: str, of: Slice) -> array[int]:
    stocks = stocks_of(run).filter(market=market)
    newest = Max("coverage__end_date", filter=Q(coverage__period=run.period))
    ordered = stocks.annotate(newest=newest).order_by("newest", "pk")
    ids = ordered.values_list("pk", flat=True).iterator()
    return array("q", filter(of.holds, ids))
