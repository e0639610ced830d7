"""一个市场日算什么:齐全、缺一点、缺很多,还是不知道。"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from itertools import accumulate

from sync.models import MarketDay

# From that share of the bars on it is no longer a few.
MANY = 0.01


class DayState(StrEnum):
    """一个市场日的状态;没有核对过的是不知道,不是齐全。"""

    COMPLETE = "complete"
    FEW_MISSING = "few_missing"
    MANY_MISSING = "many_missing"
    CLOSED = "closed"
    UNKNOWN = "unknown"


def day_state(row: MarketDay | None, *, close: datetime, late: int = 0) -> DayState:
    """判断一个市场日的状态。

    It is known only where it was counted after the market's `close` and nothing was
    written since. `late` stocks were not asked for yet: their bars are missing, too.
    """
    counted = row.current_since if row else None
    if row is None or counted is None or counted < close:
        return DayState.UNKNOWN
    if not row.expected:
        return DayState.CLOSED
    lacking = row.missing + late
    if not lacking:
        return DayState.COMPLETE
    many = lacking >= MANY * (row.expected + late)
    return DayState.MANY_MISSING if many else DayState.FEW_MISSING


class LateAt:
    """覆盖范围在某天之前就结束的有几只;`ends` 是在各天结束的。"""

    def __init__(self, ends: Mapping[date, int]) -> None:
        self._dates = sorted(ends)
        self._total = [0, *accumulate(ends[day] for day in self._dates)]

    def __call__(self, day: date) -> int:
        return self._total[bisect_left(self._dates, day)]
