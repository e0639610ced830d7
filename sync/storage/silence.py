"""服务商什么也没有的股票:每个回答记下来,有了 K 线就忘掉。

In the transaction that writes the klines or the failures. What the answers are worth is
weighed when a run is through with the market: `services.stocks.gone`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from django.db.models import OuterRef, Subquery

from common.upserts import unique_fields

from ..engine import coverage, silence
from ..engine.ports import NOTHING, Failure, Part, Task
from ..engine.silence import Nothing
from ..models import Kline, SilentStock, Stock

CHANGING = ("kind", "answers", "since", "day", "pending", "asked_at")
Told = tuple[Task, Nothing, date]  # what was said of a stock, and since when


def note_failures(failures: Iterable[Failure], *, at: datetime) -> None:
    """记下服务商说不认识、没有的股票;问的不是现在的不算。"""
    told = [
        (failure.task, Nothing(failure.reason), _day(failure.task))
        for failure in failures
        if failure.reason in NOTHING
        and silence.reaches_now(failure.window, failure.task.final)
    ]
    _note(told, at=at)


def note_parts(parts: Sequence[Part], *, at: datetime) -> None:
    """有 K 线的忘掉;取完了、却很久没有新的一根的记下来。"""
    _forget(parts)
    quiet = [
        part.task
        for part in parts
        if part.last
        and not part.klines
        and part.task.windows
        and part.task.covered
        and silence.reaches_now(coverage.hull(part.task.windows), part.task.final)
    ]
    newest = _newest_bars(quiet)
    told = []
    for task in quiet:
        assert task.covered
        since = newest.get((task.stock_id, task.period), task.covered.start)
        if _day(task) - since >= silence.OLD:
            told.append((task, Nothing.OLD, since))
    _note(told, at=at)


def _forget(parts: Iterable[Part]) -> None:
    alive: dict[str, set[int]] = {}
    for part in parts:
        if part.klines:
            alive.setdefault(part.task.period, set()).add(part.task.stock_id)
    for period, stocks in alive.items():
        rows = SilentStock.objects.filter(stock_id__in=stocks)
        heard = [
            row.pk
            for row in rows
            if row.period == period or row.kind == Nothing.UNKNOWN
        ]
        if heard:
            SilentStock.objects.filter(pk__in=heard).delete()


def _newest_bars(tasks: Sequence[Task]) -> dict[tuple[int, str], date]:
    found = {}
    for period in {task.period for task in tasks}:
        ids = [task.stock_id for task in tasks if task.period == period]
        # A look-up in the index for each: MAX() would read every bar there is.
        bars = Kline.objects.filter(stock_id=OuterRef("pk"), period=period)
        newest = Subquery(bars.order_by("-time").values("time")[:1])
        stocks = Stock.objects.filter(pk__in=ids).annotate(newest=newest).order_by()
        for pk, time in stocks.exclude(newest=None).values_list("pk", "newest"):
            found[pk, period] = time.date()
    return found


def _note(told: Sequence[Told], *, at: datetime) -> None:
    if not told:
        return
    ids = {task.stock_id for task, *_ in told}
    known = SilentStock.objects.filter(stock_id__in=ids)
    rows = {(row.stock_id, row.period): row for row in known}
    changed = {}
    for task, kind, since in told:
        key = (task.stock_id, task.period)
        new = SilentStock(stock_id=task.stock_id, period=task.period, kind=kind)
        row = rows.get(key, new)
        if row is new:
            row.since, row.day, row.asked_at = since, _day(task), at
        else:
            row.answered(kind, since=since, day=_day(task), at=at)
        rows[key] = changed[key] = row
    SilentStock.objects.bulk_create(
        [
            SilentStock(
                stock_id=stock_id,
                period=period,
                **{name: getattr(row, name) for name in CHANGING},
            )
            for (stock_id, period), row in sorted(changed.items(), key=lambda it: it[0])
        ],
        update_conflicts=True,
        update_fields=CHANGING,
        unique_fields=unique_fields("stock", "period"),
    )


def _day(task: Task) -> date:
    return silence.day_of(task.final, task.period)
