"""失败记录怎样随一次运行的结果变化。

`BatchFailures` is for runs that were asked for stocks and windows, `RetryFailures` for
runs that work off the rows they hold. Both are called by the store, in its
transactions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.db import transaction
from django.db.models import Q

from ..engine import coverage, markets
from ..engine.errors import BadAnswer
from ..engine.ports import Failure, Part, Task, Window
from ..models import Finished, SyncFailure, SyncRun
from ..models.failures import NO_ATTEMPT, SyncFailureQuerySet
from .silence import note_failures


@dataclass(frozen=True, slots=True)
class CoverageChange:
    """一只股票的覆盖范围,写入之前的和之后的。"""

    task: Task
    before: Window | None
    after: Window


class FailureBooks(Protocol):
    """失败记录随运行的结果怎样变化;只由写入的线程调用。"""

    def saved(
        self, parts: Sequence[Part], changes: Sequence[CoverageChange], *, at: datetime
    ) -> None:
        """在 K 线写好之后调用,在同一个事务里。"""

    def rejected(self, failures: Sequence[Failure], *, at: datetime) -> None:
        """头一次见到的不能用的 K 线,在同一个事务里;它们的股票算取到了。"""

    def failed(self, failures: Sequence[Failure], *, at: datetime) -> None:
        """在股票失败之后调用,在存储打开的另一个事务里。"""


class BatchFailures:
    """批量和单只同步的失败记录:记下新的失败;等待中的被新的覆盖范围包住就算成功。"""

    def __init__(self, run: SyncRun) -> None:
        self._run = run

    def saved(
        self, parts: Sequence[Part], changes: Sequence[CoverageChange], *, at: datetime
    ) -> None:
        """把被新的覆盖范围包住的记录改成补拉成功。"""
        by_key = {_key(change.task): change for change in changes}
        whole = {_key(part.task) for part in parts if part.last}
        rows = SyncFailure.objects.waiting().filter(
            stock_code__in={change.task.code for change in changes}
        )
        # A part before may have been stored with a bar missing.
        rows = rows.exclude(run=self._run, reason_class=BadAnswer.reason)
        done = [
            row.pk
            for row in rows
            if (change := by_key.get(row.stock_key))
            and self._covers(change, row.window, whole=row.stock_key in whole)
        ]
        if done:
            SyncFailure.objects.filter(pk__in=done).settle(at=at)
        again = [
            part.task
            for part in parts
            # What was not reached says itself whether it is worth another question.
            if part.last
            and part.unreached is None
            and self._is_met_again(part.task, by_key.get(_key(part.task)))
        ]
        if again:
            Finished.objects.note(again, run_id=self._run.pk)

    def rejected(self, failures: Sequence[Failure], *, at: datetime) -> None:
        """等下一次补拉再问一遍。"""
        if failures:
            SyncFailure.objects.record(failures, run_id=self._run.pk, at=at)

    def failed(self, failures: Sequence[Failure], *, at: datetime) -> None:
        """记下新的失败,一只股票的一个区间只有一条等待中的。"""
        SyncFailure.objects.record(failures, run_id=self._run.pk, at=at)
        note_failures(failures, at=at)
        _note_failed(failures, self._run)

    def _is_met_again(self, task: Task, change: CoverageChange | None) -> bool:
        """这次运行再从头看起的时候,这只股票还有要取的吗。"""
        if self._run.force or change is None:
            return True
        return bool(coverage.missing(coverage.hull(task.windows), change.after))

    def _covers(self, change: CoverageChange, wanted: Window, *, whole: bool) -> bool:
        if not _holds(change.after, wanted):
            return False
        if change.before is None or not _holds(change.before, wanted):
            return True
        # What was covered before is no proof: the row may be a hole in it. A run that
        # fetches anew has asked for it again, and has it once the stock is complete.
        return whole and any(_holds(asked, wanted) for asked in change.task.windows)


class RetryFailures:
    """补拉的失败记录:占有的记录随结果变化,不添新的记录。"""

    def __init__(self, run: SyncRun) -> None:
        self._run = run

    def saved(
        self, parts: Sequence[Part], changes: Sequence[CoverageChange], *, at: datetime
    ) -> None:
        """把取齐了的股票的记录都改成补拉成功。"""
        if whole := [part.task for part in parts if part.last]:
            self._held(whole).settle(at=at)

    def rejected(self, failures: Sequence[Failure], *, at: datetime) -> None:
        """问过这一遍,就不再问了。"""

    def failed(self, failures: Sequence[Failure], *, at: datetime) -> None:
        """给没有取到的区间的次数加一,同一只股票里已经取到的改成补拉成功。"""
        with transaction.atomic():
            for failure in failures:
                held = self._held([failure.task])
                missed = Q(
                    start_date__lte=failure.window.end,
                    end_date__gte=failure.window.start,
                )
                held.exclude(missed).settle(at=at)
                if failure.reason not in NO_ATTEMPT:
                    held.filter(missed & self._uncounted()).fail_again(
                        reason=failure.reason,
                        text=failure.text,
                        most=self._run.max_retry_count or 0,
                        at=at,
                    )
            _note_failed(failures, self._run)

    def _uncounted(self) -> Q:
        # A transaction whose answer was lost is done again: an attempt counts once a
        # run. MySQL keeps whole seconds.
        began = self._run.created_at.replace(microsecond=0)
        return Q(last_retry_time=None) | Q(last_retry_time__lt=began)

    def _held(self, tasks: Iterable[Task]) -> SyncFailureQuerySet:
        wanted = Q(pk__in=[])
        for task in tasks:
            # One that had not begun when the run was asked for is no part of the task.
            wanted |= Q(
                market=task.market,
                stock_code=task.code,
                period=task.period,
                start_date__lte=markets.today(task.market, at=self._run.created_at),
            )
        return SyncFailure.objects.held_by(self._run.pk).filter(wanted)


def _note_failed(failures: Iterable[Failure], run: SyncRun) -> None:
    """这次运行不再去试的。"""
    tried: dict[str, list[Task]] = {}
    for failure in failures:
        if failure.reason not in NO_ATTEMPT:
            reason = "" if failure.expected else failure.reason
            tried.setdefault(reason, []).append(failure.task)
    for reason, tasks in tried.items():
        Finished.objects.note(tasks, run_id=run.pk, reason=reason)


def _key(task: Task) -> tuple[str, str, str]:
    return task.market, task.code, task.period


def _holds(outer: Window, inner: Window) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end
