"""一个 Token 的账:今天用了多少,还能给多少。

Plain values and arithmetic; the database is in querysets.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

# The provider's window is about a minute; a call older than this counts no more.
WINDOW_SECONDS = 61
KEPT_SECONDS = 62


def day_of(at: datetime) -> date:
    """这一刻属于哪一天(TOKEN_DAY_TIME_ZONE)。"""
    return at.astimezone(ZoneInfo(settings.TOKEN_DAY_TIME_ZONE)).date()


def next_day_at(at: datetime) -> datetime:
    """下一天从哪一刻开始(UTC)。

    Right where clocks change too: a midnight that does not exist gives the moment of
    the change, one that comes twice gives the first.
    """
    zone = ZoneInfo(settings.TOKEN_DAY_TIME_ZONE)
    after = datetime.combine(day_of(at) + timedelta(days=1), time.min, zone)
    return after.astimezone(UTC)


def current_days(day: date) -> tuple[date, date]:
    """哪些 usage_date 算今天:头尾都含。

    Tomorrow is one of them: a machine whose clock runs a little ahead may already have
    begun the new day, and its count must not be thrown away.
    """
    return day, day + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Ledger:
    """一个 Token 的账。

    `reserved` calls were granted to the lease's holder and are not accounted for yet;
    they are part of `daily_used`. A `daily_limit` of 0 means no limit.
    """

    daily_limit: int
    daily_used: int
    usage_date: date | None
    reserved: int

    def used_on(self, day: date) -> int:
        """这一天用了多少次。"""
        first, last = current_days(day)
        current = self.usage_date is not None and first <= self.usage_date <= last
        return self.daily_used if current else 0

    def left_on(self, day: date) -> int | None:
        """这一天还剩多少次;None 表示不限。"""
        if self.daily_limit == 0:
            return None
        return max(0, self.daily_limit - self.used_on(day))

    def turned_to(self, day: date) -> Ledger:
        """翻到这一天。

        Calls granted yesterday and not accounted for may be made today, or were made
        since midnight; they count for the new day, so that no limit is ever exceeded.
        """
        first, last = current_days(day)
        if self.usage_date is not None and first <= self.usage_date <= last:
            return self
        return replace(self, daily_used=self.reserved, usage_date=day)

    def granting(self, calls: int, *, done: int, day: date) -> tuple[Ledger, int]:
        """再给至多 `calls` 次,并销去做完的 `done` 次;返回新账和给出的次数。"""
        turned = self.turned_to(day)
        left = turned.left_on(day)
        granted = max(0, calls if left is None else min(calls, left))
        pending = max(0, self.reserved - done)
        used = turned.daily_used + granted
        return replace(turned, daily_used=used, reserved=pending + granted), granted

    def closing(self, *, unused: int, day: date) -> Ledger:
        """结账:退回没用的次数。

        Reserved calls that are neither done nor given back stay counted.
        """
        turned = self.turned_to(day)
        back = min(max(0, unused), self.reserved)
        return replace(turned, daily_used=max(0, turned.daily_used - back), reserved=0)


def with_lost_calls(
    recent: list[list[int]], *, calls: int, made_at: datetime, at: datetime
) -> list[list[int]]:
    """把下落不明的次数记到最近的请求里,只留还有用的。"""
    oldest = at.timestamp() - KEPT_SECONDS
    lost = [[math.ceil(made_at.timestamp()), calls]] if calls > 0 else []
    entries = [*recent, *lost]
    return [[second, count] for second, count in entries if second >= oldest]


def carried(recent: list[list[int]], *, at: datetime) -> list[tuple[float, int]]:
    """最近的请求:多少秒以前,多少次。

    Only those that still count, oldest first; the seconds are never negative.
    """
    now = at.timestamp()
    return [
        (max(0.0, now - second), calls)
        for second, calls in recent
        if calls and now - second <= WINDOW_SECONDS
    ]
