"""从存下的里抽取样本,从样本推算有多少不一样。

What is drawn are pages: windows that one call can show, side by side. Each has the same
chance and none comes twice, for what was mended would count as sound. Of each market,
period and third of the histories the sample holds as much as its share: the list is
walked in even steps from a random start.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate, pairwise
from random import Random
from typing import Generic, TypeVar

from .coverage import DAY
from .paging import PAGE_SIZE, SLACK
from .periods import PERIODS
from .ports import Window

K = TypeVar("K")

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


@dataclass(frozen=True, slots=True)
class Third(Generic[K]):
    """一段历史的三分之一:哪个序列的,从第几页起有几页。"""

    series: K
    first: int
    pages: int


def page_count(history: Window, period: str) -> int:
    """数出一段历史有几页。"""
    return math.ceil(_days(history) / _longest(period))


def page_of(history: Window, period: str, number: int) -> Window:
    """返回一段历史的第 `number` 页,从 0 起,旧的在前;最后一页短一些。"""
    length = _longest(period)
    start = history.start + DAY * (length * number)
    return Window(start, min(history.end, start + DAY * (length - 1)))


def thirds(series: K, pages: int) -> list[Third[K]]:
    """把一个序列的页分成旧的、中间的、新的;页少就有空着的。"""
    ends = [round(pages * n / AGES) for n in range(AGES + 1)]
    pairs = pairwise(ends)
    return [Third(series, first, end - first) for first, end in pairs]


def evenly(strata: Sequence[Third[K]], count: int, dice: Random) -> list[tuple[K, int]]:
    """在排好的各段里等距离地取 `count` 页,没有重复的;不够就全取。"""
    ends = list(accumulate(third.pages for third in strata))
    total = ends[-1] if ends else 0
    count = min(count, total)
    start = dice.random()
    picks = []
    for n in range(count):
        place = min(total - 1, int((n + start) * total / count))
        third = strata[at := bisect_right(ends, place)]
        picks.append((third.series, third.first + place - (ends[at] - third.pages)))
    return picks


def _longest(period: str) -> int:
    """一页装得下多少天;至少一天。"""
    interval: timedelta = PERIODS[period].interval
    bars = PAGE_SIZE - SLACK
    if interval > DAY:
        return int((bars - 2) * (interval / DAY))
    return max(1, int((bars * (interval / DAY) - 2) * 7 / 5))


def _days(window: Window) -> int:
    return (window.end - window.start) // DAY + 1
