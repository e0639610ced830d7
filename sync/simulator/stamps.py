"""时间戳:日线、周线、月线盖在哪一天、哪个钟点。"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sync.engine.markets import MARKETS
from sync.engine.periods import PERIODS

from .bar import Bar
from .bars import first_of
from .quirks import Quirks
from .quirks import Stamp as Style
from .sessions import sessions


def stamp(market: str, period: str, bar: Bar, *, quirks: Quirks) -> int:
    """一根 K 线的时间戳,毫秒;分钟线就是它开始的时刻。"""
    if PERIODS[period].intraday:
        return bar.start
    days = sessions(market).days
    if period == "day":
        return _on(days[bar.session], market, quirks.stamp)
    if quirks.group_stamp == "latest_trade":
        return _on(days[bar.last], market, quirks.stamp)
    # No session opens on a Monday that is a holiday.
    if quirks.group_stamp == "first_trade" or quirks.stamp == "session_open":
        return _on(days[bar.session], market, quirks.stamp)
    first = first_of(days[bar.session], period=period)
    return _on(first, market, quirks.stamp)


# All stocks of a market trade on the same days.
@lru_cache(maxsize=32_768)
def _on(day: date, market: str, style: Style) -> int:
    if style == "session_open":
        calendar = sessions(market)
        return calendar.opens[calendar.between(day, day)[0]]
    if style == "utc_midnight":
        return utc_midnight(day)
    if style == "dst_off":
        return utc_midnight(day) - _summer(market, day.year)
    return midnight(day, market=market)


def utc_midnight(day: date) -> int:
    """一天在 UTC 的零点,毫秒。"""
    return _ms(datetime.combine(day, time.min, UTC))


def midnight(day: date, *, market: str) -> int:
    """一天在交易所的零点,毫秒。"""
    return _ms(datetime.combine(day, time.min, ZoneInfo(MARKETS[market].zone)))


def _summer(market: str, year: int) -> int:
    """How far the exchange's clock is ahead of UTC in summer, in milliseconds."""
    zone = ZoneInfo(MARKETS[market].zone)
    noons = [datetime(year, month, 1, 12, tzinfo=zone) for month in (1, 7)]
    ahead = max(noon.utcoffset() or timedelta() for noon in noons)
    return ahead // timedelta(milliseconds=1)


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
