"""从存下的里抽取样本,从样本推算有多少不一样。

Of each market, and of each third of a stock's history, the sample holds as much as its
share: the list is walked in even steps from a random start.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import TypeVar

from .coverage import DAY
from .markets import PERIODS
from .paging import PAGE_SIZE, SLACK
from .ports import Window

T = TypeVar("T")

AGES = 3  # old, middle and new: the thirds of a history
NORMAL_95 = 1.959964  # within so many deviations lie 95 %


@dataclass(frozen=True, slots=True)
class Estimate:
    """估计的比例,和以 95% 的把握包含真值的区间,含两端。"""

    rate: float
    low: float
    high: float


def estimate(hits: int, of: int) -> Estimate | None:
    """从 `of` 个里的 `hits` 个推算比例(Wilson 区间);一个也没有就是 None。

    The interval holds for bars that go wrong one by one; where whole series do, they
    differ together, and the truth may lie farther off.
    """
    if of == 0:
        return None
    rate, square = hits / of, NORMAL_95**2
    middle = rate + square / (2 * of)
    half = NORMAL_95 * math.sqrt(rate * (1 - rate) / of + square / (4 * of * of))
    whole = 1 + square / of
    # At the ends it is exact; arithmetic of floats is not.
    low = 0.0 if hits == 0 else (middle - half) / whole
    high = 1.0 if hits == of else (middle + half) / whole
    return Estimate(rate, low, high)


def evenly(ordered: Sequence[T], count: int, dice: Random) -> list[T]:
    """从排好的里等距离地取 `count` 个;要得比有的多,就有重复的。"""
    if not ordered:
        return []
    step = len(ordered) / count
    first = dice.random() * step
    last = len(ordered) - 1
    return [ordered[min(last, int(first + n * step))] for n in range(count)]


def window_of(history: Window, period: str, *, age: int, dice: Random) -> Window:
    """在一段历史的第 `age` 个三分之一里随机取一个区间,一页装得下。

    It is cut at the ends of `history` and reaches beyond its third where that is short.
    """
    days = (history.end - history.start) // DAY + 1
    middle = history.start + DAY * int(days * (age % AGES + dice.random()) / AGES)
    length = min(days, _longest(period))
    latest = history.end - DAY * (length - 1)
    start = min(max(middle - DAY * (length // 2), history.start), latest)
    return Window(start, start + DAY * (length - 1))


def _longest(period: str) -> int:
    """一页装得下多少天;至少一天。"""
    interval: timedelta = PERIODS[period].interval
    bars = PAGE_SIZE - SLACK
    if interval > DAY:
        return int((bars - 2) * (interval / DAY))
    return max(1, int((bars * (interval / DAY) - 2) * 7 / 5))
