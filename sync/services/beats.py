"""时间表下一次什么时候做,还有没有工作进程在做。"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from django_q.models import Schedule

# A schedule is looked at twice a minute; one that is overdue for longer has nobody.
OVERDUE = timedelta(minutes=5)
SYNC, RETRY, PULSE = (
    *("sync.tasks.sync_daily", "sync.tasks.retry_hourly"),
    "sync.tasks.revive_runs",
)


@dataclass(frozen=True, slots=True)
class Beat:
    """时间表里的一行:下一次的时刻,每隔多久。"""

    next_run: datetime
    every: timedelta

    def at_or_after(self, due: datetime) -> datetime:
        """返回不早于 `due` 的第一次。"""
        late = max(0.0, (due - self.next_run) / self.every)
        return self.next_run + math.ceil(late) * self.every


@dataclass(frozen=True, slots=True)
class Upkeep:
    """时间表做得怎样了。

    `silent_since` is since when nobody has done what is due, None where somebody does;
    a schedule that is missing or paused has no next time.
    """

    retry_at: datetime | None
    sync: Beat | None
    silent_since: datetime | None


def upkeep_now(*, at: datetime) -> Upkeep:
    """看时间表下一次什么时候做,还有没有工作进程在做。"""
    rows = Schedule.objects.filter(func__in=(SYNC, RETRY, PULSE)).exclude(repeats=0)
    columns = rows.values_list("func", "next_run", "minutes")
    beats = {
        func: Beat(next_run, timedelta(minutes=minutes or 1))
        for func, next_run, minutes in columns
        if next_run
    }
    oldest = min((beat.next_run for beat in beats.values()), default=at)
    retry = beats.get(RETRY)
    return Upkeep(
        retry_at=max(retry.next_run, at) if retry else None,
        sync=beats.get(SYNC),
        silent_since=oldest if at - oldest > OVERDUE else None,
    )
