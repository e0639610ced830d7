"""编造的 K 线,和一个知道真值的服务商。"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sync.engine import markets
from sync.engine.ports import Kline, Page, PageRequest, Window

DAY = timedelta(days=1)
STAMPS = ("utc", "midnight", "open")


def kline(moment: datetime) -> Kline:
    """一根由时间决定的 K 线,好与真值比较。"""
    price = Decimal(moment.toordinal() % 1000 + 1)
    return Kline(moment, price, price, price, price, Decimal(1), Decimal(1))


def stamp(day: date, kind: str, *, market: str) -> int:
    """某个交易日在三种约定之一下的时间戳(毫秒)。"""
    zone = UTC if kind == "utc" else ZoneInfo(markets.MARKETS[market].zone)
    clock = time(9, 30) if kind == "open" else time.min
    return int(datetime.combine(day, clock, zone).timestamp() * 1000)


def weekdays(first: date, last: date) -> list[date]:
    """含首尾的全部工作日。"""
    days = (first + DAY * n for n in range((last - first).days + 1))
    return [day for day in days if day.weekday() < 5]


def daily(days: Iterable[date], *, kind: str = "utc", market: str = "HK") -> list[int]:
    """各交易日的时间戳。"""
    return [stamp(day, kind, market=market) for day in days]


def page(stamps: Sequence[int], *, market: str = "HK", period: str = "day") -> Page:
    """由时间戳做成的一页。"""
    ordered = sorted(stamps)
    times = [markets.bar_time(s, market=market, period=period) for s in ordered]
    return Page([kline(moment) for moment in times], ordered[0] if ordered else None)


class Exchange:
    """有真值的服务商;`inclusive` 决定终点算不算在内,`cap` 是一页至多几根。"""

    def __init__(
        self,
        stamps: Sequence[int],
        *,
        inclusive: bool = True,
        cap: int = 1000,
        market: str = "HK",
        period: str = "day",
    ) -> None:
        self.stamps = sorted(stamps)
        self.inclusive = inclusive
        self.cap = cap
        self.market = market
        self.period = period
        self.requests: list[PageRequest] = []

    def fetch(self, request: PageRequest) -> Page:
        """答一页。"""
        assert request.limit > 0
        self.requests.append(request)
        last = request.end_ms + self.inclusive
        before = [s for s in self.stamps if s < last]
        newest = before[-min(request.limit, self.cap) :]
        return page(newest, market=self.market, period=self.period)

    def truth(self, window: Window) -> list[Kline]:
        """区间里真正有的 K 线。"""
        since, until = markets.bounds(window, market=self.market, period=self.period)
        full = page(self.stamps, market=self.market, period=self.period)
        return [k for k in full.klines if since <= k.time < until]
