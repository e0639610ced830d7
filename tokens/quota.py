"""次数按什么算:哪一天的,哪一分钟的。"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

# For so long is a number of stocks per call believed that was learned from refusals.
BATCH_LEARNED = timedelta(days=1)

# The provider's window is about a minute; a call older than this counts no more.
WINDOW_SECONDS = 61
KEPT_SECONDS = 62


def day_of(at: datetime) -> date:
    """算出这一刻属于哪一天,按 TOKEN_DAY_TIME_ZONE。"""
    return at.astimezone(ZoneInfo(settings.TOKEN_DAY_TIME_ZONE)).date()


def next_day_at(at: datetime) -> datetime:
    """算出下一天从哪一刻开始(UTC)。

    Right where clocks change too: a midnight that does not exist gives the moment of
    the change, one that comes twice gives the first.
    """
    zone = ZoneInfo(settings.TOKEN_DAY_TIME_ZONE)
    after = datetime.combine(day_of(at) + timedelta(days=1), time.min, zone)
    return after.astimezone(UTC)


def current_days(day: date) -> tuple[date, date]:
    """返回哪些 usage_date 算今天,头尾都含。

    Tomorrow is one of them: a machine whose clock runs a little ahead may already have
    begun the new day, and its count must not be thrown away.
    """
    return day, day + timedelta(days=1)


def with_lost_calls(
    recent: list[list[int]], *, calls: int, made_at: datetime, at: datetime
) -> list[list[int]]:
    """把下落不明的次数记到最近的请求里,只留还有用的。"""
    oldest = at.timestamp() - KEPT_SECONDS
    lost = [[math.ceil(made_at.timestamp()), calls]] if calls > 0 else []
    entries = [*recent, *lost]
    return [[second, count] for second, count in entries if second >= oldest]


def carried(recent: list[list[int]], *, at: datetime) -> list[tuple[float, int]]:
    """把最近的请求写成:多少秒以前,多少次。

    Only those that still count, oldest first; the seconds are never negative.
    """
    now = at.timestamp()
    return [
        (max(0.0, now - second), calls)
        for second, calls in recent
        if calls and now - second <= WINDOW_SECONDS
    ]
