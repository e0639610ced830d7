"""交易时间:假期和市场现在的状态。"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sync.engine.markets import MARKETS

from .asking import BadParameter, Given, only
from .quirks import Quirks
from .sessions import Sessions, closed_days, sessions

# SH and SZ are one country.
_COUNTRIES = {code: code for code in MARKETS if code not in {"SH", "SZ"}} | {"CN": "SH"}
_NAMES = {
    "HK": "Hong Kong",
    "CN": "China",
    "US": "United States",
    "SG": "Singapore",
    "JP": "Japan",
    "TW": "Taiwan",
    "IN": "India",
    "TH": "Thailand",
    "DE": "Germany",
    "MX": "Mexico",
    "MY": "Malaysia",
    "TR": "Turkey",
    "ES": "Spain",
    "NL": "Netherlands",
    "GB": "United Kingdom",
    "ID": "Indonesia",
    "VN": "Vietnam",
    "KR": "South Korea",
    "IT": "Italy",
    "FR": "France",
    "AU": "Australia",
}
_WEEKEND = 5
# Before the open and after the close, in minutes.
_AROUND = {"US": (330, 240)}
_USUAL_AROUND = (30, 30)
_OF_LATE = 60
# Hours that changed for good moved by half an hour, those of half days by more.
_MOVED = 60


@dataclass(frozen=True, slots=True)
class _Day:
    """A session's hours at the exchange, as HH:MM."""

    opens: str
    pause: str
    again: str
    closes: str


class Hours:
    """各个国家的假期和市场状态,JSON 原文。"""

    def __init__(self, quirks: Quirks, *, now: Callable[[], datetime]) -> None:
        self._quirks = quirks
        self._now = now

    def holidays(self, given: Given) -> str:
        """一个国家的休市日,每天一行;旧的形状是每个国家一行。"""
        only(given, required={"code"})
        country = _country(given)
        if self._quirks.holidays == "v1":
            return json.dumps(list(self._old(country)))
        return json.dumps(self._new(country))

    def old_holidays(self, given: Given) -> str:
        """旧接口:每个国家和年份一行,日期是文字里的 JSON。"""
        only(given, required=set(), optional={"code", "region"})
        wanted = given.get("code") or given.get("region")
        if wanted is not None:
            return json.dumps(list(self._old(_country({"code": wanted}))))
        rows = [row for country in _COUNTRIES for row in self._old(country)]
        return json.dumps(rows)

    def status(self, given: Given) -> str:
        """一个国家的市场此刻开没开。"""
        only(given, required={"code"})
        country = _country(given)
        market = _COUNTRIES[country]
        zone = ZoneInfo(MARKETS[market].zone)
        local = self._now().astimezone(zone)
        state = _state(market, local)
        holiday = state in {"CLOSED_HOLIDAY", "HOLIDAY_HALF_DAY"}
        return json.dumps(
            {
                "c": country.lower(),
                "r": _NAMES[country],
                "o": state in {"OPEN", "HOLIDAY_HALF_DAY"},
                "s": state,
                "h": "Exchange holiday" if holiday else None,
                "t": _schedule(market, _usual(market)),
                "z": MARKETS[market].zone,
                "l": f"{local:%Y-%m-%d %H:%M:%S}",
            }
        )

    def _years(self) -> range:
        year = self._now().year
        return range(year - 1, year + 2)

    def _new(self, country: str) -> list[dict[str, Any]]:
        market = _COUNTRIES[country]
        usual = _schedule(market, _usual(market))
        rows = [
            (day, usual, "Exchange closed")
            for year in self._years()
            for day in closed_days(market, year=year)
        ]
        if self._quirks.half_days:
            rows += [
                (day, _schedule(market, _day(market, day)), "Half day")
                for year in self._years()
                for day in half_days(market, year=year)
            ]
        return [
            {
                "c": country,
                "r": _NAMES[country],
                "d": day.isoformat(),
                "t": times,
                "z": MARKETS[market].zone,
                "v": name,
            }
            for day, times, name in sorted(rows)
        ]

    def _old(self, country: str) -> Iterator[dict[str, Any]]:
        market = _COUNTRIES[country]
        for year in self._years():
            days = [day.isoformat() for day in closed_days(market, year=year)]
            yield {
                "c": country,
                "r": _NAMES[country],
                "ey": str(year),
                "et": _schedule(market, _usual(market)),
                "z": MARKETS[market].zone,
                "v": json.dumps(days),
            }


def half_days(market: str, *, year: int) -> list[date]:
    """一年里比平时收盘早的交易日。"""
    calendar = sessions(market)
    numbers = calendar.between(date(year, 1, 1), date(year, 12, 31))
    usual = _minutes(_usual(market).closes)
    days = [calendar.days[number] for number in numbers]
    return [day for day in days if usual - _minutes(_day(market, day).closes) > _MOVED]


def _country(given: Given) -> str:
    if given["code"] not in _COUNTRIES:
        raise BadParameter("code is not a country's")
    return given["code"]


def _state(market: str, local: datetime) -> str:
    day = local.date()
    calendar = sessions(market)
    if not calendar.has(day):
        return "CLOSED_WEEKEND" if day.weekday() >= _WEEKEND else "CLOSED_HOLIDAY"
    hours, clock = _day(market, day), f"{local:%H:%M}"
    before, after = _AROUND.get(market, _USUAL_AROUND)
    if clock < _shifted(hours.opens, -before) or clock >= _shifted(hours.closes, after):
        return "CLOSED"
    if clock < hours.opens:
        return "PRE_MARKET"
    if clock >= hours.closes:
        return "POST_MARKET"
    if hours.pause <= clock < hours.again:
        return "LUNCH_BREAK"
    return "HOLIDAY_HALF_DAY" if day in half_days(market, year=day.year) else "OPEN"


def _schedule(market: str, hours: _Day) -> str:
    """Before, regular and after hours.

    As 09:00-09:30,09:30-12:00|13:00-16:00,16:00-16:30.
    """
    before, after = _AROUND.get(market, _USUAL_AROUND)
    regular = f"{hours.opens}-{hours.closes}"
    if hours.pause < hours.again:
        regular = f"{hours.opens}-{hours.pause}|{hours.again}-{hours.closes}"
    early = f"{_shifted(hours.opens, -before)}-{hours.opens}"
    late = f"{hours.closes}-{_shifted(hours.closes, after)}"
    return f"{early},{regular},{late}"


@lru_cache(maxsize=32)
def _usual(market: str) -> _Day:
    calendar = sessions(market)
    if not calendar.days:
        close = f"{MARKETS[market].close:%H:%M}"
        return _Day("09:00", close, close, close)
    late = Counter(_hours(market, calendar, n) for n in range(-_OF_LATE, 0))
    return late.most_common(1)[0][0]


def _day(market: str, day: date) -> _Day:
    calendar = sessions(market)
    return _hours(market, calendar, calendar.between(day, day)[0])


def _hours(market: str, calendar: Sessions, number: int) -> _Day:
    zone = ZoneInfo(MARKETS[market].zone)
    stamps = (
        calendar.opens[number],
        *calendar.breaks[number],
        calendar.closes[number],
    )
    return _Day(*(f"{datetime.fromtimestamp(at / 1000, zone):%H:%M}" for at in stamps))


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def _shifted(clock: str, minutes: int) -> str:
    whole = timedelta(minutes=_minutes(clock) + minutes)
    return f"{datetime(2000, 1, 1) + whole:%H:%M}"  # noqa: DTZ001 - a clock's face
