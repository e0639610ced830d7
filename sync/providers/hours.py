"""服务商怎样说休市日和市场的状态。

Holidays were published in two shapes. A row for each day: `d` the date, `t` the hours
and `v` a name; `t` holds the *usual* hours of the exchange even of a day that is
closed, so that only a row whose hours end earlier than those of most others is half a
day. And a row for each country and year: `v` the dates as JSON inside a text.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from sync.engine.errors import BadAnswer

# Hours that change for good move by half an hour, those of half a day by more.
EARLIER = 60  # minutes
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_SESSION = frozenset(
    {"PRE_MARKET", "OPEN", "LUNCH_BREAK", "POST_MARKET", "HOLIDAY_HALF_DAY"}
)


@dataclass(frozen=True, slots=True)
class Holiday:
    """一个休市日,或者提早收盘的半天。

    `hours` is what the provider says of the exchange's hours, `close` the time at which
    half a day ends; a closed day has none.
    """

    day: date
    name: str
    hours: str
    close: time | None = None


@dataclass(frozen=True, slots=True)
class MarketStatus:
    """一个市场此刻的状态;`day` 是交易所当地的日期。

    `session` says whether that day is one, None where the state does not tell: a market
    is closed after a session, too.
    """

    day: date
    session: bool | None
    half_day: bool = False


def read_holidays(rows: Sequence[dict[str, Any]]) -> list[Holiday]:
    """读出休市日,两种形状都认,旧的在前;不是日期的抛出 BadAnswer。"""
    found = [holiday for row in rows for holiday in _holidays(row)]
    usual = _usual(found)
    return sorted((_judged(one, usual) for one in found), key=lambda one: one.day)


def read_status(data: Any, *, today: date) -> MarketStatus:
    """读出市场的状态;`today` 是交易所的日期,回答里没有时用它。"""
    row = data[0] if isinstance(data, list) and data else data
    if not isinstance(row, dict):
        raise BadAnswer("The market's status is not an object")
    state = str(row.get("s", "")).upper()
    day = _day(str(row.get("l", ""))[:10]) or today
    if state == "CLOSED_HOLIDAY":
        return MarketStatus(day, session=False)
    session = True if state in _SESSION else None
    return MarketStatus(day, session, half_day=state == "HOLIDAY_HALF_DAY")


def _holidays(row: dict[str, Any]) -> Iterator[Holiday]:
    if row.get("d") is None and row.get("ey") is not None:
        hours = str(row.get("et") or "")
        for day in _listed(row.get("v")):
            yield Holiday(_must_be(day), "", hours)
        return
    yield Holiday(_must_be(row.get("d")), _words(row.get("v")), _words(row.get("t")))


def _listed(dates: Any) -> Iterable[Any]:
    """The older shape's dates: JSON inside a text, or not."""
    if isinstance(dates, str):
        try:
            dates = json.loads(dates)
        except ValueError:
            raise BadAnswer("A year's holidays are not JSON") from None
    if not isinstance(dates, list):
        raise BadAnswer("A year's holidays are not a list")
    return dates


def _usual(found: Iterable[Holiday]) -> int | None:
    """The close that most rows tell, in minutes of the day; one row alone proves none.

    Of closes that are told as often the later one is the usual.
    """
    counted = Counter(filter(None, (_close(one.hours) for one in found)))
    if not counted:
        return None
    close, times = max(counted.items(), key=lambda pair: (pair[1], pair[0]))
    return close if times > 1 else None


def _judged(one: Holiday, usual: int | None) -> Holiday:
    close = _close(one.hours)
    if usual is None or close is None or usual - close < EARLIER:
        return one
    return Holiday(one.day, one.name, one.hours, time(*divmod(close, 60)))


def _close(hours: str) -> int | None:
    """The end of the regular session, in minutes of the day.

    Hours are written 09:00-09:30,09:30-12:00|13:00-16:00,16:00-16:30: before it, the
    session, after it; or the session alone.
    """
    parts = hours.split(",")
    regular = parts[1] if len(parts) == len(("before", "in", "after")) else parts[0]
    clocks = [match.group() for match in _CLOCK.finditer(regular)]
    return int(clocks[-1][:2]) * 60 + int(clocks[-1][3:]) if clocks else None


def _must_be(value: Any) -> date:
    day = _day(value) if isinstance(value, str) else None
    if day is None:
        raise BadAnswer("A holiday's date is not a date")
    return day


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _words(value: Any) -> str:
    if not isinstance(value, str | int):
        return ""
    # JSON can spell half a character, which no database stores.
    return " ".join(str(value).encode(errors="replace").decode().split())
