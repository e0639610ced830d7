"""定时任务给人看、由人管:最近和下一次、暂停、恢复、立即执行。"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_q.models import Schedule
from django_q.tasks import async_task

from common.activity import SCHEDULE, Actor, Way, acting, note
from common.messages import Message
from sync.models import ScheduledJob, Verb

from ..clock import now as shared_now
from ..errors import BadRequest
from .schedules import ENTRIES, Entry

FOR_EVER, NEVER = -1, 0  # django-q2's words: how often it is still to run


@dataclass(frozen=True, slots=True)
class Planned:
    """时间表里的一行,和它最近的一次。

    `next_run` is None where it is paused or was never set up; `last` where it has not
    run yet.
    """

    entry: Entry
    set_up: bool
    paused: bool
    next_run: datetime | None
    last: ScheduledJob | None


def timetable() -> list[Planned]:
    """列出每个定时任务,没有建好的也在内。"""
    rows = {row.func: row for row in Schedule.objects.filter(func__in=_funcs())}
    done = ScheduledJob.objects.in_bulk(_funcs())
    return [
        _planned(entry, rows.get(entry.func), done.get(entry.func)) for entry in ENTRIES
    ]


def pause(func: str) -> bool:
    """暂停一个定时任务;已经暂停着的返回 False。Raises BadRequest."""
    with transaction.atomic():
        rows = _rows(func).exclude(repeats=NEVER)
        paused = bool(rows.update(repeats=NEVER))
        if paused:
            note(Verb.SCHEDULE_PAUSED, func)
    return paused


def resume(func: str, *, at: datetime) -> bool:
    """恢复一个定时任务,从它的下一个钟点起;没有暂停的返回 False。Raises BadRequest."""
    entry = _entry(func)
    with transaction.atomic():
        rows = _rows(func).filter(repeats=NEVER)
        resumed = bool(rows.update(repeats=FOR_EVER, next_run=entry.first(at)))
        if resumed:
            note(Verb.SCHEDULE_RESUMED, func)
    return resumed


def run_now(func: str) -> None:
    """把一个定时任务放进队列,有空的工作进程马上执行;暂停着的也可以。

    Raises BadRequest.
    """
    entry = _entry(func)
    with transaction.atomic():
        note(Verb.SCHEDULE_RUN, func)
        transaction.on_commit(
            lambda: async_task(func, group=entry.name, task_name=entry.name),
            robust=True,
        )


@contextmanager
def scheduled(func: str) -> Iterator[SimpleNamespace]:
    """执行一个定时任务:做事的是时间表;记下开始、结束和结果(`.result`)。"""
    job = SimpleNamespace(result="")
    began, failed = shared_now(), True
    ScheduledJob.objects.begin(func, at=began)
    try:
        with acting(Actor(SCHEDULE, Way.SCHEDULE, func.rpartition(".")[2])):
            yield job
        failed = False
    except Exception as error:
        job.result = Message("It failed: %(error)s", error=type(error).__name__)
        raise
    finally:
        ScheduledJob.objects.end(
            func, started_at=began, at=shared_now(), failed=failed, result=job.result
        )


def _funcs() -> list[str]:
    return [entry.func for entry in ENTRIES]


def _entry(func: str) -> Entry:
    found = [entry for entry in ENTRIES if entry.func == func]
    if not found:
        raise BadRequest("job", _("There is no such schedule."))
    return found[0]


def _rows(func: str) -> QuerySet[Schedule]:
    rows: QuerySet[Schedule] = Schedule.objects.filter(func=_entry(func).func)
    return rows


def _planned(entry: Entry, row: Schedule | None, last: ScheduledJob | None) -> Planned:
    paused = row is not None and row.repeats == NEVER
    next_run = None if row is None or paused else row.next_run
    return Planned(entry, row is not None, paused, next_run, last)
