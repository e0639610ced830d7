"""最近几天的收盘:分钟线的一天什么时候算取全。"""

from __future__ import annotations

from datetime import datetime

from sync.engine import markets
from sync.engine.coverage import DAY, GRACE
from sync.engine.periods import PERIODS
from sync.engine.ports import Closings, Window

from .sessions import Calendar


def closings_of(market: str, period: str, *, at: datetime) -> Closings | None:
    """取得还可能来得晚的那几天的收盘;日线以上不需要,返回 None。"""
    if not PERIODS[period].intraday:
        return None
    final = markets.last_final(market, at=at)
    days = [final - n * DAY for n in range(GRACE // DAY + 1)]
    calendar = Calendar(market, window=Window(days[-1], final))
    return Closings(
        at={day: calendar.close(day) for day in days},
        over=markets.today(market, at=at) - DAY,
    )
