"""每个市场下一次什么时候按时间表同步。"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from common.activity import SCHEDULE
from sync.engine import markets
from sync.engine.coverage import DAY
from sync.engine.ports import Window
from sync.models import RunKind, SyncRun

from ..beats import Beat
from ..calendars.sessions import Calendar, Told, each_day
from .schedules import NOWHERE

# No exchange is closed for longer.
AHEAD = 30 * DAY


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
