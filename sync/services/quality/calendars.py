"""交易所的交易日。

From exchange_calendars, which draws in pandas and takes most of a second: loaded inside
the function that needs it, so that neither a sync run nor a web page pays for it.

Where nothing is known, every weekday counts as a session: in markets without a
calendar, before FIRST_DAY, and after the last year for which an exchange has published
its holidays. `known` tells how far that is.
"""

from __future__ import annotations

import warnings
from bisect import bisect_left
from datetime import date
from functools import lru_cache
from threading import Lock

from sync.engine.coverage import DAY, SATURDAY
from sync.engine.markets import MARKETS
from sync.engine.ports import Window

FIRST_DAY = date(2000, 1, 1)
_loading = Lock()


def known(market: str) -> Window | None:
    """返回日历知道的日期范围;没有日历时返回 None。"""
    days = _days(market)
    return Window(days[0], days[-1]) if days else None


def is_session(market: str, *, day: date) -> bool:
    """判断这一天是不是交易日;日历不知道的日子,工作日就算。"""
    days = _days(market)
    if not days or not days[0] <= day <= days[-1]:
        return day.weekday() < SATURDAY
    return days[bisect_left(days, day)] == day


def sessions(market: str, *, window: Window) -> list[date]:
    """列出区间里的交易日,旧的在前。"""
    length = (window.end - window.start).days + 1
    days = (window.start + n * DAY for n in range(length))
    return [day for day in days if is_session(market, day=day)]


def last_session(market: str, *, until: date) -> date:
    """找出到 `until` 为止(含)的最后一个交易日。"""
    day = until
    while not is_session(market, day=day):
        day -= DAY
    return day


def _days(market: str) -> list[date]:
    # Filters for warnings belong to the process, so one thread at a time sets them.
    with _loading:
        return _load(MARKETS[market].calendar)


@lru_cache(maxsize=32)
def _load(name: str) -> list[date]:
    if not name:
        return []
    import exchange_calendars  # noqa: PLC0415 - see the top

    with warnings.catch_warnings():
        # It still uses names that pandas 3 has deprecated.
        warnings.filterwarnings(
            "ignore",
            category=DeprecationWarning,
            module=r"pandas\.core\.|exchange_calendars\.",
        )
        calendar = exchange_calendars.get_calendar(name, start=FIRST_DAY.isoformat())
    return [session.date() for session in calendar.sessions]
