"""交易所公布的交易日和收盘时间,来自 exchange_calendars。

The package draws in pandas and takes most of a second: loaded inside the function that
needs it, so that neither a run of day bars nor a web page pays for it.
"""

from __future__ import annotations

import warnings
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from threading import Lock
from typing import Any

from sync.engine.markets import MARKETS
from sync.engine.ports import Window

FIRST_DAY = date(2000, 1, 1)
MINUTE = 60_000_000_000  # nanoseconds
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_loading = Lock()


@dataclass(frozen=True, slots=True)
class Session:
    """一个交易日:开盘、午休、收盘的时刻(UTC)和交易多少分钟,午休不算。"""

    open: datetime
    pause: tuple[datetime, datetime] | None
    close: datetime
    minutes: int


@dataclass(frozen=True, slots=True)
class Published:
    """一个交易所公布的全部交易日,旧的在前;没有日历时是空的。"""

    days: list[date]
    sessions: list[Session]

    @property
    def known(self) -> Window | None:
        """返回公布到的日期范围,头尾都含;没有日历时返回 None。"""
        return Window(self.days[0], self.days[-1]) if self.days else None

    def knows(self, day: date) -> bool:
        """判断这一天在不在公布的范围里。"""
        return bool(self.days) and self.days[0] <= day <= self.days[-1]

    def session(self, day: date) -> Session | None:
        """找出这一天的交易时间;不是交易日或者没有公布到时返回 None。"""
        place = bisect_left(self.days, day)
        inside = place < len(self.days) and self.days[place] == day
        return self.sessions[place] if inside else None


def published(market: str) -> Published:
    """取得一个市场的交易所公布的日历。"""
    # Filters for warnings belong to the process, so one thread at a time sets them.
    with _loading:
        return _load(MARKETS[market].calendar)


@lru_cache(maxsize=32)
def _load(name: str) -> Published:
    if not name:
        return Published([], [])
    import exchange_calendars  # noqa: PLC0415 - see the top

    with warnings.catch_warnings():
        # It still uses names that pandas 3 has deprecated.
        warnings.filterwarnings(
            "ignore",
            category=DeprecationWarning,
            module=r"pandas\.core\.|exchange_calendars\.",
        )
        calendar = exchange_calendars.get_calendar(name, start=FIRST_DAY.isoformat())
    days = [session.date() for session in calendar.sessions]
    return Published(days, list(_sessions(calendar)))


def _sessions(calendar: Any) -> Iterator[Session]:
    columns = (
        calendar.opens_nanos,
        calendar.break_starts_nanos,
        calendar.break_ends_nanos,
        calendar.closes_nanos,
    )
    for row in zip(*columns, strict=True):
        opens, pause, again, closes = map(int, row)
        # A time that is missing is the smallest integer there is.
        rests = pause > 0
        minutes = (closes - opens - (again - pause if rests else 0)) // MINUTE
        lunch = (_moment(pause), _moment(again)) if rests else None
        yield Session(_moment(opens), lunch, _moment(closes), minutes)


def _moment(nanos: int) -> datetime:
    return EPOCH + timedelta(minutes=nanos // MINUTE)
