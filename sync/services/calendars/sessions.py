"""一个市场的日历:这一天是不是交易日,几点收盘。

Who is asked, the first that knows counts:

1. the market itself: a day on which most of its stocks traded is a session, and one on
   which nobody did is none (`stk_market_day`, as the audit saw it);
2. the provider: its holidays and what it said of the market that day
   (`stk_market_calendar`, see `provider`);
3. the exchange's published calendar;
4. where nobody knows, for VN or beyond the published years, every weekday counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime, time
from functools import cached_property
from zoneinfo import ZoneInfo

from sync.engine.coverage import DAY, SATURDAY
from sync.engine.markets import MARKETS
from sync.engine.ports import Window
from sync.models import MarketCalendar, MarketDay

from .exchanges import Published, published

# Half a day whose close nobody tells: no exchange closes earlier.
HALF_DAY = time(12)


class Told:
    """几个市场的日历,服务商和市场自己说过的:两次查询,读一次。"""

    def __init__(self, names: Collection[str], *, window: Window) -> None:
        rows = MarketCalendar.objects.filter(market__in=names)
        self.rows = {row.market: row for row in rows}
        self.traded = _traded(names, window)


class Calendar:
    """一个市场的日历,`window` 里连市场自己的交易也看。

    Read once from the database: two queries, or none where it is `told` those of
    several markets. The published calendar is loaded only when nobody before it knows.
    """

    def __init__(
        self, market: str, *, window: Window, told: Told | None = None
    ) -> None:
        told = told or Told([market], window=window)
        self.market = market
        self._zone = ZoneInfo(MARKETS[market].zone)
        self._traded = told.traded.get(market, {})
        row = told.rows.get(market)
        self._closed = _days(row.closed) if row else set()
        self._told = _told(row)
        self._half = _times(row.half) if row else {}

    @cached_property
    def _published(self) -> Published:
        return published(self.market)

    @property
    def known(self) -> Window | None:
        """返回日历知道的日期范围,头尾都含;谁也不知道时返回 None。

        The exchange's years, and those that follow of which the provider has listed
        the holidays. Outside of it weekdays count as sessions.
        """
        years = {day.year for day in self._closed}
        span = self._published.known
        if span is None:
            return _years(min(years), max(years)) if years else None
        end = span.end
        while end.year + 1 in years:
            end = date(end.year + 1, 12, 31)
        return Window(span.start, end)

    def is_session(self, day: date) -> bool:
        """判断这一天是不是交易日。"""
        traded = self._traded.get(day)
        return self.is_announced(day) if traded is None else traded

    def is_announced(self, day: date) -> bool:
        """判断按服务商和交易所所说,这一天是不是交易日,不管有没有人交易。"""
        if day in self._told:
            return self._told[day]
        if day in self._closed:
            return False
        if self._published.knows(day):
            return self._published.session(day) is not None
        return day.weekday() < SATURDAY

    def sessions(self, window: Window) -> list[date]:
        """列出区间里的交易日,旧的在前。"""
        return [day for day in each_day(window) if self.is_session(day)]

    def announced(self, window: Window) -> list[date]:
        """列出区间里按服务商和交易所所说的交易日,旧的在前。"""
        return [day for day in each_day(window) if self.is_announced(day)]

    def last_session(self, until: date) -> date:
        """找出到 `until` 为止(含)的最后一个交易日。"""
        day = until
        while not self.is_session(day):
            day -= DAY
        return day

    def close(self, day: date) -> datetime:
        """返回这一天收盘的时刻(UTC);不是交易日的也照平时算。"""
        if day in self._half:
            return self._at(day, self._half[day])
        session = self._published.session(day)
        return session.close if session else self._at(day, MARKETS[self.market].close)

    def minutes(self, day: date) -> int | None:
        """返回这一天交易多少分钟;没有公布的返回 None。"""
        if day in self._half:
            return None
        session = self._published.session(day)
        return session.minutes if session else None

    def _at(self, day: date, clock: time) -> datetime:
        return datetime.combine(day, clock, self._zone).astimezone(UTC)


def calendar_until(market: str, until: date) -> Calendar:
    """取得到 `until` 为止最近一个月的日历。"""
    return Calendar(market, window=Window(until - 30 * DAY, until))


def each_day(window: Window) -> Iterator[date]:
    """逐日给出一个区间的日期,旧的在前。"""
    length = (window.end - window.start) // DAY + 1
    return (window.start + n * DAY for n in range(length))


def weekend_sessions(market: str, *, window: Window) -> set[date]:
    """找出区间里已经知道的周末交易日;不看交易所公布的日历。"""
    told = Told([market], window=window)
    found = _told(told.rows.get(market)) | told.traded.get(market, {})
    return {
        day
        for day, is_session in found.items()
        if is_session
        and day.weekday() >= SATURDAY
        and window.start <= day <= window.end
    }


def _traded(names: Collection[str], window: Window) -> dict[str, dict[date, bool]]:
    """几个市场自己的交易说明白了的日子。"""
    days = (window.start, window.end)
    rows = MarketDay.objects.filter(market__in=names, period="day", day__range=days)
    columns = rows.values_list("market", "day", "expected", "present")
    found: dict[str, dict[date, bool]] = {}
    for market, day, expected, present in columns:
        if not expected or 2 * present > expected:
            found.setdefault(market, {})[day] = bool(expected)
    return found


def _told(row: MarketCalendar | None) -> dict[date, bool]:
    told: Mapping[str, bool] = row.told if row else {}
    return {date.fromisoformat(day): session for day, session in told.items()}


def _days(texts: list[str]) -> set[date]:
    return {date.fromisoformat(text) for text in texts}


def _times(texts: Mapping[str, str]) -> dict[date, time]:
    return {
        date.fromisoformat(day): time.fromisoformat(clock) if clock else HALF_DAY
        for day, clock in texts.items()
    }


def _years(first: int, last: int) -> Window:
    return Window(date(first, 1, 1), date(last, 12, 31))
