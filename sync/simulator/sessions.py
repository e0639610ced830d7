"""交易所的交易日和交易时段。"""

from __future__ import annotations

import warnings
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from threading import Lock
from typing import Any

from sync.engine.markets import MARKETS

FIRST_DAY = date(2000, 1, 1)
# Sessions at a weekend that exchange_calendars does not know: India's budget days.
_WEEKEND_SESSIONS = {"IN": [date(2025, 2, 1), date(2026, 2, 1)]}
_NANOS_PER_MS = 1_000_000
_SATURDAY = 5
_loading = Lock()


@dataclass(frozen=True, slots=True)
class Sessions:
    """一个市场的全部交易日,旧的在前。

    All lists run in parallel, and their stamps are epoch milliseconds. A day without
    a lunch break has its break's start and end at the close.
    """

    days: list[date]
    opens: list[int]
    breaks: list[tuple[int, int]]
    closes: list[int]

    def at(self, stamp_ms: int) -> int:
        """最近一个已经开盘的交易日的序号;一个也没有时是 -1。"""
        return bisect_right(self.opens, stamp_ms) - 1

    def has(self, day: date) -> bool:
        """这一天是不是交易日。"""
        return bool(self.between(day, day))

    def between(self, start: date, end: date) -> range:
        """一段日期里的交易日序号;两端都包括。"""
        return range(bisect_left(self.days, start), bisect_right(self.days, end))


def sessions(market: str) -> Sessions:
    """取一个市场的交易日。

    Empty where the market has no calendar. Loaded once, by whichever thread asks first.
    """
    with _loading:
        return _load(market)


@lru_cache(maxsize=32)
def _load(market: str) -> Sessions:
    name = MARKETS[market].calendar
    if not name:
        return Sessions([], [], [], [])
    calendar = _calendar(name)
    closes = _milliseconds(calendar.closes_nanos)
    found = Sessions(
        days=[session.date() for session in calendar.sessions],
        opens=_milliseconds(calendar.opens_nanos),
        breaks=_breaks(calendar, closes),
        closes=closes,
    )
    for day in _WEEKEND_SESSIONS.get(market, []):
        _insert(found, day)
    return found


def _insert(calendar: Sessions, day: date) -> None:
    """Another session, with the hours of the one before."""
    place = bisect_left(calendar.days, day)
    later = (day - calendar.days[place - 1]) // timedelta(milliseconds=1)
    start, end = calendar.breaks[place - 1]
    calendar.opens.insert(place, calendar.opens[place - 1] + later)
    calendar.closes.insert(place, calendar.closes[place - 1] + later)
    calendar.breaks.insert(place, (start + later, end + later))
    calendar.days.insert(place, day)


def _calendar(name: str) -> Any:
    # Late, because it draws in pandas and takes most of a second.
    import exchange_calendars  # noqa: PLC0415

    with warnings.catch_warnings():
        # It still uses names that pandas 3.1 has deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        return exchange_calendars.get_calendar(name, start=FIRST_DAY.isoformat())


def _milliseconds(nanos: Any) -> list[int]:
    return [int(value) // _NANOS_PER_MS for value in nanos]


def _breaks(calendar: Any, closes: list[int]) -> list[tuple[int, int]]:
    starts = _milliseconds(calendar.break_starts_nanos)
    ends = _milliseconds(calendar.break_ends_nanos)
    # A missing time of numpy's is the smallest integer there is.
    return [
        (start, end) if start > 0 else (close, close)
        for start, end, close in zip(starts, ends, closes, strict=True)
    ]


def closed_days(market: str, *, year: int) -> list[date]:
    """一年里休市的工作日;日历没有排到的日子不算。"""
    calendar = sessions(market)
    if not calendar.days:
        return []
    first = max(date(year, 1, 1), calendar.days[0])
    last = min(date(year, 12, 31), calendar.days[-1])
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    open_days = {calendar.days[n] for n in calendar.between(first, last)}
    return [day for day in days if day.weekday() < _SATURDAY and day not in open_days]
