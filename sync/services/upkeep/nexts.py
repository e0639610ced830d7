"""时间表下一次什么时候做什么,还有没有人在做。"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django_q.models import Schedule

from common.activity import SCHEDULE
from sync.engine import markets
from sync.engine.coverage import DAY
from sync.engine.ports import Window
from sync.models import RunKind, SyncRun

from ..calendars.sessions import Calendar, Told, each_day
from .schedules import NOWHERE

# A schedule is looked at twice a minute; one that is overdue for longer has nobody.
OVERDUE = timedelta(minutes=5)
SYNC, RETRY, PULSE = (
    *("sync.tasks.sync_daily", "sync.tasks.retry_hourly"),
    "sync.tasks.revive_runs",
)
# No exchange is closed for longer.
AHEAD = 30 * DAY


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


def upkeep(*, at: datetime) -> Upkeep:
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


def next_syncs(
    sessions: Iterable[tuple[str, date]], *, sync: Beat | None, at: datetime
) -> dict[str, datetime]:
    """算出每个市场下一次按时间表同步的时刻;`sessions` 是各市场最后一个交易日。

    A session that has no scheduled run yet is due now; else the next one is, once it is
    over. Empty where the schedule is missing or paused.
    """
    if sync is None:
        return {}
    made, known = _made(at=at), list(sessions)
    today = at.date()
    told = Told([name for name, _day in known], window=Window(today, today + AHEAD))
    return {
        market: sync.at_or_after(
            _after(market, session, told) if (market, session) in made else at
        )
        for market, session in known
    }


def _made(*, at: datetime) -> set[tuple[str, date | None]]:
    """近来登记过的:哪个市场到哪天;没有做成的不算。"""
    runs = SyncRun.objects.filter(
        requested_by=SCHEDULE,
        kind=RunKind.BATCH,
        period="day",
        created_at__gt=at - AHEAD,
    )
    got_somewhere = runs.exclude(state__in=NOWHERE)
    return set(got_somewhere.order_by().values_list("market", "end_date"))


def _after(market: str, session: date, told: Told) -> datetime:
    """下一个交易日收盘,K 线不再变的时刻。"""
    ahead = Window(session + DAY, session + AHEAD)
    calendar = Calendar(market, window=ahead, told=told)
    days = (day for day in each_day(ahead) if calendar.is_session(day))
    return calendar.close(next(days, ahead.end)) + markets.MARGIN
