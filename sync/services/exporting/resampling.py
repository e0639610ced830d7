"""由短的 K 线做成长的:周和月由日线,5 到 60 分钟由 1 分钟线。

Minutes are counted from the beginning of each half of a session, as exchanges do: the
lunch break, half days and daylight saving are the calendar's. Before the open, and on
days that no calendar knows, they are counted from the full hour, after the close from
the close. A bar is made of what is stored: where minutes are missing, so is their part.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import groupby
from zoneinfo import ZoneInfo

from sync.engine.markets import MARKETS, unit_start
from sync.engine.periods import PERIODS

from ..calendars.exchanges import Session, published

# What each is made of.
SOURCES = {"week": "day", "month": "day"} | dict.fromkeys(
    ("5m", "15m", "30m", "60m"), "1m"
)
Begins = Callable[[str], str]  # of a bar's time the longer bar's


def begins(market: str, period: str) -> Begins:
    """返回一个函数:一根短 K 线的时间,属于从什么时间开始的长 K 线。"""
    if PERIODS[period].intraday:
        return _of_minutes(market, PERIODS[period].interval)

    @lru_cache(maxsize=20_000)
    def of_days(text: str) -> str:
        return unit_start(date.fromisoformat(text), period).isoformat()

    return of_days


def resampled(lines: Iterable[str], start_of: Begins) -> Iterator[str]:
    """把一只股票的行(`time,open,high,low,close,volume,turnover`)合成长的。

    Oldest first, exact in decimals; read as they are taken.
    """
    rows = (line.split(",") for line in lines)
    groups = groupby(rows, key=lambda row: start_of(row[0]))
    return (_merged(start, list(some)) for start, some in groups)


def _merged(start: str, rows: Sequence[Sequence[str]]) -> str:
    _times, opens, highs, lows, closes, volumes, turnovers = zip(*rows, strict=True)
    high, low = max(highs, key=Decimal), min(lows, key=Decimal)
    sums = (plain(sum(map(Decimal, some))) for some in (volumes, turnovers))
    return ",".join((start, opens[0], high, low, closes[-1], *sums))


def plain(number: Decimal | int) -> str:
    """写出一个数字的全部位数,末尾没有零。"""
    return f"{Decimal(number).normalize():f}"


def _of_minutes(market: str, interval: timedelta) -> Begins:
    zone, sessions = ZoneInfo(MARKETS[market].zone), published(market)

    @lru_cache(maxsize=400)
    def anchors(day: date) -> list[datetime]:
        midnight = datetime.combine(day, time.min, zone).astimezone(UTC)
        session = sessions.session(day)
        return [midnight, *(_turns(session) if session else ())]

    @lru_cache(maxsize=100_000)
    def of_minutes(text: str) -> str:
        moment = datetime.fromisoformat(text)
        known = anchors(moment.astimezone(zone).date())
        anchor = known[bisect_right(known, moment) - 1]
        start = anchor + (moment - anchor) // interval * interval
        return f"{start:%Y-%m-%dT%H:%M:%SZ}"

    return of_minutes


def _turns(session: Session) -> Iterator[datetime]:
    """一个交易日开始、午休、再开始、结束的时刻。"""
    yield session.open
    if session.pause:
        yield from session.pause
    yield session.close
