"""市场和周期:时区、收盘时间、时间戳怎样变成交易日。

Zone and closing time are the exchanges' own, regular sessions only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from .periods import PERIODS
from .ports import Window

# A provider needs a while after the close until the day's bar is the last word.
MARGIN = timedelta(hours=1)
# No session of any of the markets begins before.
EARLIEST_OPEN = time(8)
SUNDAY = 6  # of date.weekday()
HOUR, TWO = timedelta(hours=1), time(2)


@dataclass(frozen=True, slots=True)
class Market:
    """一个市场。

    `calendar` is the exchange's name in exchange_calendars, empty where it has none.
    """

    code: str
    zone: str
    close: time
    calendar: str


MARKETS = {
    code: Market(code, zone, time.fromisoformat(close), calendar)
    for code, zone, close, calendar in (
        ("HK", "Asia/Hong_Kong", "16:10", "XHKG"),
        ("SH", "Asia/Shanghai", "15:30", "XSHG"),
        ("SZ", "Asia/Shanghai", "15:30", "XSHG"),
        ("US", "America/New_York", "16:00", "XNYS"),
        ("SG", "Asia/Singapore", "17:16", "XSES"),
        ("JP", "Asia/Tokyo", "15:30", "XTKS"),
        ("TW", "Asia/Taipei", "14:30", "XTAI"),
        ("IN", "Asia/Kolkata", "16:00", "XBOM"),
        ("TH", "Asia/Bangkok", "16:40", "XBKK"),
        ("DE", "Europe/Berlin", "17:35", "XFRA"),
        ("MX", "America/Mexico_City", "15:00", "XMEX"),
        ("MY", "Asia/Kuala_Lumpur", "17:00", "XKLS"),
        ("TR", "Europe/Istanbul", "18:10", "XIST"),
        ("ES", "Europe/Madrid", "17:38", "XMAD"),
        ("NL", "Europe/Amsterdam", "17:40", "XAMS"),
        ("GB", "Europe/London", "16:35", "XLON"),
        ("ID", "Asia/Jakarta", "16:15", "XIDX"),
        ("VN", "Asia/Ho_Chi_Minh", "15:00", ""),
        ("KR", "Asia/Seoul", "15:30", "XKRX"),
        ("IT", "Europe/Rome", "17:42", "XMIL"),
        ("FR", "Europe/Paris", "17:40", "XPAR"),
        ("AU", "Australia/Sydney", "16:12", "XASX"),
    )
}


def unit_start(day: date, period: str) -> date:
    """所在周或月的第一天;其他周期就是当天。"""
    if period == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == "month" else day


@lru_cache(maxsize=65536)
def bar_time(stamp_ms: int, *, market: str, period: str) -> datetime:
    """把服务商的时间戳变成存库的时间(UTC)。

    Intraday: the instant itself. Otherwise midnight UTC of the trade date; of a week
    its Monday and of a month its first day, whichever day of it is stamped, so that
    each has one bar. Cached, because one market's stocks share their stamps.
    """
    instant = datetime.fromtimestamp(stamp_ms / 1000, UTC)
    if PERIODS[period].intraday:
        return instant
    day = _stamped_day(instant, ZoneInfo(MARKETS[market].zone))
    if period == "week" and day.weekday() == SUNDAY:
        day += timedelta(days=1)  # the eve of the week rather than its last trade day
    return datetime.combine(unit_start(day, period), time.min, UTC)


def _stamped_day(instant: datetime, zone: ZoneInfo) -> date:
    """时间戳说的是哪一天。

    Within an hour of midnight, UTC's or the exchange's, the date that begins there:
    that hour is daylight saving put on the wrong dates. Otherwise, as for stamps at the
    session's open, the date at the exchange.
    """
    for clock in (UTC, zone):
        later = (instant + HOUR).astimezone(clock)
        if later.time() <= TWO:
            return later.date()
    return instant.astimezone(zone).date()


def bounds(window: Window, *, market: str, period: str) -> tuple[datetime, datetime]:
    """区间对应的存库时间:含起点,不含终点。"""
    zone = ZoneInfo(MARKETS[market].zone) if PERIODS[period].intraday else UTC
    return (
        datetime.combine(window.start, time.min, zone).astimezone(UTC),
        datetime.combine(window.end + timedelta(days=1), time.min, zone).astimezone(
            UTC
        ),
    )


def end_stamp(end: date, *, market: str) -> int:
    """一个比 `end` 当天所有时间戳都晚的毫秒数。

    Midnight at the exchange after `end`: later than midnight UTC of `end` in every
    zone, so that it asks for `end` whichever stamp the provider uses and whether or
    not it counts the end in.
    """
    zone = ZoneInfo(MARKETS[market].zone)
    after = datetime.combine(end + timedelta(days=1), time.min, zone)
    return int(after.timestamp() * 1000)


def parse_day(text: str) -> date:
    """读出写成 YYYY-MM-DD 的交易日;别的写法是 ValueError。

    Python alone takes `20260101` and `2026-W01-4` as well: a slip that costs calls.
    """
    day = date.fromisoformat(text)
    if day.isoformat() != text:
        raise ValueError(text)
    return day


def trade_date(moment: datetime, *, market: str, period: str) -> date:
    """存库的时间属于哪个交易日。"""
    if not PERIODS[period].intraday:
        return moment.date()
    return moment.astimezone(ZoneInfo(MARKETS[market].zone)).date()


def today(market: str, *, at: datetime) -> date:
    """交易所当地的日期。"""
    return at.astimezone(ZoneInfo(MARKETS[market].zone)).date()


def latest(market: str, *, at: datetime) -> date:
    """最后一个可能已经有 K 线的日期:一早还没开市,今天不算。"""
    local = at.astimezone(ZoneInfo(MARKETS[market].zone))
    begun = local.time() >= EARLIEST_OPEN
    return local.date() if begun else local.date() - timedelta(days=1)


def last_final(market: str, *, at: datetime) -> date:
    """最后一个肯定收盘了的日期:这一天和之前的 K 线不会再变。"""
    local = at.astimezone(ZoneInfo(MARKETS[market].zone))
    closed = datetime.combine(local.date(), MARKETS[market].close, local.tzinfo)
    over = local >= closed + MARGIN
    return local.date() if over else local.date() - timedelta(days=1)
