"""一次运行要做的事:按市场分组的任务。"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from functools import cache, partial
from itertools import chain, groupby, islice, repeat
from operator import itemgetter
from typing import Any

from django.db.models import FilteredRelation, Max, Q, Value

from sync.engine import coverage, markets
from sync.engine.ports import Task, Window
from sync.models import (
    Finished,
    Restatement,
    RunKind,
    SilentStock,
    Stock,
    SyncFailure,
    SyncRun,
    UnreachedHistory,
)
from sync.models.stocks import StockQuerySet
from sync.storage.retrying import Retrying, at_once

from ..calendars.closings import closings_of
from ..calendars.sessions import weekend_sessions
from .anew import restated
from .comparing import to_compare
from .older import OlderHistory
from .retry import held_rows, merged, retry_tasks
from .slices import ALL, Slice

CHUNK = 500
# Enough to tell that there is something to do, and to begin with.
FIRST_CHUNK = 50
FINISHED = ""  # the mark of a stock that this run does not try again
# So many ids to each one that is wanted are too many.
SPARSE = 4
UNREACHED = ("before", "wanted_from", "bars", "doubt", "asked", "noted_at")


def stocks_of(run: SyncRun) -> StockQuerySet:
    """留下这次运行涉及的股票。"""
    return Stock.objects.wanted(markets=run.markets, codes=run.codes)


def count_of(run: SyncRun) -> int:
    """数出这次运行涉及多少只股票。"""
    if run.kind == RunKind.RETRY:
        return (
            held_rows(run).values("market", "stock_code", "period").distinct().count()
        )
    return stocks_of(run).count()


def count_unreached(run: SyncRun) -> int:
    """这次运行里有多少只股票,更早的历史没有 Token 看得到。"""
    if run.kind == RunKind.RETRY:
        return 0
    older = UnreachedHistory.objects.filter(
        period=run.period, before__gt=run.window.start
    )
    return stocks_of(run).filter(pk__in=older.values("stock")).count()


def markets_of(run: SyncRun, *, retrying: Retrying = at_once) -> list[str]:
    """列出这次运行涉及的市场,按字母顺序。"""
    rows = held_rows(run) if run.kind == RunKind.RETRY else stocks_of(run)
    found = rows.order_by().values_list("market", flat=True).distinct()
    return sorted(retrying(lambda: set(found)) & set(markets.MARKETS))


def tasks_of(
    run: SyncRun,
    market: str,
    *,
    at: datetime,
    of: Slice = ALL,
    retrying: Retrying = at_once,
) -> Iterator[Task]:
    """逐个给出一个市场的任务,包括已经齐全、没有区间要取的。

    Read in chunks, each of which `retrying` may read again: an error that got through
    would end the iterator.
    """
    if run.kind == RunKind.RETRY:
        tasks = retry_tasks(run, market, at=at, retrying=retrying)
        return (task for task in tasks if of.holds(task.stock_id))
    tasks = _batch_tasks(run, market, at=at, of=of, retrying=retrying)
    return _poison_last(tasks, retrying=retrying)


def failed_of(run: SyncRun, of: Slice, *, retrying: Retrying) -> dict[str, int]:
    """数出这次运行试过而取不到、不再去试的股票,按原因。"""
    failed = Finished.objects.of(run.pk).exclude(reason="")
    rows = retrying(lambda: list(failed.values_list("stock_id", "reason")))
    return dict(Counter(reason for stock_id, reason in rows if of.holds(stock_id)))


def _batch_tasks(
    run: SyncRun, market: str, *, at: datetime, of: Slice, retrying: Retrying
) -> Iterator[Task]:
    """没有取齐的股票。

    Never loaded ones first, then the stalest. The order is fixed at the start as a list
    of ids, the rest is read in chunks: memory hardly grows with the market, and no
    cursor stays open while others write. A weekend at the end is not asked for unless
    nothing else is wanted, or a session is known on it: it is not counted as covered
    either, so a rare session comes with the next days.
    What the run has finished already is complete for it.
    """
    final = markets.last_final(market, at=at)
    latest = markets.latest(market, at=at)
    wanted = Window(run.window.start, min(run.window.end, latest))
    if wanted.start > wanted.end:
        return
    asks = _worth_asking(market, wanted, retrying=retrying)
    wanted = coverage.widen(wanted, run.period)
    plan = coverage.everything if run.force else coverage.missing
    gone = retrying(partial(_gone, run, market))
    resting = set() if run.force else {pk for pk, due in gone.items() if at < due}
    closings = cache(lambda: retrying(lambda: closings_of(market, run.period, at=at)))
    older: OlderHistory | None = None
    holes = retrying(partial(_holes, run, market, wanted))
    compare = retrying(partial(to_compare, run, market))
    for stock_id, covered, code, mark, row in _rows(run, market, of, retrying=retrying):
        idle = mark == FINISHED or stock_id in resting
        windows = [] if idle else plan(wanted, covered)
        more = [*holes.get(code, ()), *compare.get(stock_id, ())]
        if more and not idle:
            windows = merged([*windows, *more])
        unreached = None
        if row:
            older = older or retrying(partial(OlderHistory, market, at=at))
            unreached = older.as_asked(row)
        if older and windows and unreached and not run.force:
            windows = older.asked_for(windows, unreached, run.period, covered)
        worth = list(filter(asks, windows))
        if not run.force:
            worth = coverage.with_last_day(worth, covered, run.period)
        task = Task(
            stock_id=stock_id,
            market=market,
            code=code,
            period=run.period,
            windows=tuple(worth),
            covered=covered,
            final=final,
            unreached=unreached,
            gone=stock_id in gone,
            closings=closings() if worth or mark else None,
        )
        if mark:
            task = retrying(partial(restated, task, mark, asks=run.force, at=at))
        yield task


def _holes(run: SyncRun, market: str, wanted: Window) -> dict[str, list[Window]]:
    """登记为等待补拉的缺口在 `wanted` 里的部分,按代码;只在说出了股票的运行里。

    Who names a stock and a window wants what is missing in it, also where it counts as
    covered. The failures of whole markets are left to retries.
    """
    if run.kind != RunKind.SINGLE or run.force:
        return {}
    holes: dict[str, list[Window]] = {}
    rows = SyncFailure.objects.waiting().filter(
        stock_code__in=run.codes,
        market__in=(market, ""),
        period=run.period,
        start_date__lte=wanted.end,
        end_date__gte=wanted.start,
    )
    for row in rows.order_by():
        start, end = max(row.start_date, wanted.start), min(row.end_date, wanted.end)
        holes.setdefault(row.stock_code, []).append(Window(start, end))
    return holes


def _worth_asking(
    market: str, wanted: Window, *, retrying: Retrying
) -> Callable[[Window], bool]:
    """返回判断一个区间值不值得问的函数:周末多半不值得。"""
    if not coverage.has_weekday(wanted):
        return bool
    rare = cache(lambda: retrying(partial(weekend_sessions, market, window=wanted)))
    return lambda window: (
        coverage.has_weekday(window)
        or any(window.start <= day <= window.end for day in rare())
    )


def _gone(run: SyncRun, market: str) -> dict[int, datetime]:
    """没有了的股票,和什么时候再问;点名要的照样问,也照样算失败。"""
    if run.codes:
        return {}
    rows = SilentStock.objects.gone(run.period).filter(stock__market=market)
    return {row.stock_id: row.asked_next for row in rows}


def _poison_last(tasks: Iterator[Task], *, retrying: Retrying) -> Iterator[Task]:
    """补拉过还是取不到的股票排到最后,免得占了别的股票的次数。"""
    poison: list[Task] = []
    sizes = _sizes()
    while chunk := list(islice(tasks, next(sizes))):
        wanting = [task for task in chunk if task.windows]
        failing = retrying(partial(_failing, wanting))
        poison += [task for task in chunk if task.code in failing]
        yield from (task for task in chunk if task.code not in failing)
    yield from poison


def _failing(tasks: Sequence[Task]) -> set[str]:
    """哪些代码有屡次失败的记录,而且不早于已有的范围。

    What failed before the end of the coverage is not what is wanted next.
    """
    if not tasks:
        return set()
    ends = {task.code: task.covered.end if task.covered else date.min for task in tasks}
    rows = SyncFailure.objects.stubborn().filter(
        market=tasks[0].market, period=tasks[0].period, stock_code__in=list(ends)
    )
    newest = rows.order_by().values_list("stock_code").annotate(Max("end_date"))
    return {code for code, end in newest if end > ends[code]}


Row = tuple[int, Window | None, str, str | None, UnreachedHistory | None]


def _rows(run: SyncRun, market: str, of: Slice, *, retrying: Retrying) -> Iterator[Row]:
    left = iter(retrying(partial(_ids, run, market, of)))
    marks = retrying(partial(_marks, run))
    sizes = _sizes()
    while ids := list(islice(left, next(sizes))):
        found = retrying(partial(_chunk, run, ids))
        for pk in ids:
            if pk in found:
                code, covered, unreached = found[pk]
                yield pk, covered, code, marks.get(pk), unreached


def _marks(run: SyncRun) -> dict[int, str]:
    """这次运行做完了的股票,和历史变了还没有了结的到了哪一步。"""
    finished = Finished.objects.of(run.pk).filter(period=run.period)
    changed = Restatement.objects.open().filter(period=run.period).order_by()
    rows = finished.values_list("stock_id", Value(FINISHED)).union(
        changed.values_list("stock_id", "state"), all=True
    )
    marks: dict[int, str] = {}
    for stock_id, mark in rows:
        marks[stock_id] = FINISHED if FINISHED in (mark, marks.get(stock_id)) else mark
    return marks


def _sizes() -> Iterator[int]:
    return chain([FIRST_CHUNK], repeat(CHUNK))


def _chunk(
    run: SyncRun, ids: Sequence[int]
) -> dict[int, tuple[str, Window | None, UnreachedHistory | None]]:
    """按编号给出代码、已有的范围和没有够到的历史。

    Ids that lie side by side, as a market's usually do, are asked for as a range: a
    list of hundreds takes Django as long as the rows.
    """
    first, last = min(ids), max(ids)
    near = last - first < SPARSE * len(ids)
    these = Q(pk__range=(first, last)) if near else Q(pk__in=ids)
    known = FilteredRelation("coverage", condition=Q(coverage__period=run.period))
    older = FilteredRelation("unreached", condition=Q(unreached__period=run.period))
    rows = Stock.objects.annotate(known=known, older=older).filter(these)
    columns = ("pk", "stock_code", "known__start_date", "known__end_date")
    more = [f"older__{name}" for name in UNREACHED]
    return {
        pk: (
            code,
            Window(start, end) if start else None,
            _unreached(pk, run.period, unreached) if unreached[0] else None,
        )
        for pk, code, start, end, *unreached in rows.values_list(*columns, *more)
    }


def _unreached(stock_id: int, period: str, values: Sequence[Any]) -> UnreachedHistory:
    columns = dict(zip(UNREACHED, values, strict=True))
    return UnreachedHistory(stock_id=stock_id, period=period, **columns)


def _ids(run: SyncRun, market: str, of: Slice) -> array[int]:
    """列出股票的编号:没有取过的在前,然后最旧的在前。

    After a run that was stopped, neighbours that are equally stale are taken apart:
    forty that get no answer, one after another, look like an outage, and would stop
    this run at the same place.
    """
    stocks = stocks_of(run).filter(market=market)
    # Joined and not grouped: of a period each stock has one coverage at most.
    known = FilteredRelation("coverage", condition=Q(coverage__period=run.period))
    ordered = stocks.annotate(known=known).order_by("known__end_date", "pk")
    rows = ordered.values_list("pk", "known__end_date").iterator()
    if not SyncFailure.objects.left_by_a_stop(market).exists():
        return array("q", (pk for pk, _ in rows if of.holds(pk)))
    ids: array[int] = array("q")
    for _, alike in groupby(rows, key=itemgetter(1)):
        ids.extend(_apart([pk for pk, _ in alike if of.holds(pk)]))
    return ids


def _apart(ids: Sequence[int]) -> Iterator[int]:
    step = math.isqrt(len(ids)) or 1
    for first in range(step):
        yield from ids[first::step]
