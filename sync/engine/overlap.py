"""存下的 K 线和服务商再给的同一段比较:一样、改了几根、整体换了口径、认不出来。

A top-up shows a dozen stored bars again for nothing. What they say about all the bars
before them is decided here and nowhere else:

    Same       nothing has changed
    Revised    some bars are corrected; what is older is as it was
    Restated   the oldest of them have moved, and so has all that is older
    Unlike     nothing fits: perhaps another company has the code now

Prices may be rounded on either side, and a price that was multiplied and rounded fits
a small range of factors. Bars belong together while one factor fits them all. A split
whose day lies inside the overlap leaves the bars after it as they were, so the oldest
bars decide.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from .ports import Kline

# Of the bars compared, so many may fit no factor in a series that was restated: one in
# three may be corrected besides.
ODD = 3
# Days inside one overlap from which on another factor holds.
MOST_STEPS = 2
# So many bars tell a rule from a coincidence.
ENOUGH = 3
ONE = Fraction(1)


@dataclass(frozen=True, slots=True)
class Same:
    """没有变化,或者没有可以比较的。"""


@dataclass(frozen=True, slots=True)
class Revised:
    """改正了几根:每一根的旧值和新值,旧的在前。"""

    changes: tuple[tuple[Kline, Kline], ...]


@dataclass(frozen=True, slots=True)
class Restated:
    """整个序列换了口径:旧的价格乘上 `price`,成交量乘上 `volume`。

    None where they have changed by no single factor.
    """

    price: Fraction | None
    volume: Fraction | None


@dataclass(frozen=True, slots=True)
class Unlike:
    """比较了 `compared` 根,其中 `foreign` 根一个价格也不相同,也没有共同的倍数。"""

    compared: int
    foreign: int


Verdict = Same | Revised | Restated | Unlike
Pair = tuple[Kline, Kline]


@dataclass(frozen=True, slots=True)
class Range:
    """可能的倍数,含两端。"""

    low: Fraction
    high: Fraction

    def __contains__(self, factor: Fraction) -> bool:
        return self.low <= factor <= self.high

    def both(self, other: Range) -> Range | None:
        """两边都可能的倍数。"""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Range(low, high) if low <= high else None


def compare(stored: Iterable[Kline], answered: Iterable[Kline]) -> Verdict:
    """比较同一只股票、同一种周期的两组 K 线;只看两边都有的时间。

    Both are to hold final bars only, one for each time, in any order.
    """
    new = {kline.time: kline for kline in answered}
    pairs = [(old, new[old.time]) for old in stored if old.time in new]
    pairs.sort(key=lambda pair: pair[0].time)
    changes = tuple(pair for pair in pairs if pair[0] != pair[1])
    if not changes:
        return Same()
    if any(_prices(old) != _prices(now) for old, now in changes):
        return _of_prices(pairs, changes)
    volume = _volume_factor(pairs)
    if volume not in (None, ONE) and len(pairs) >= ENOUGH:
        return Restated(ONE, volume)
    return Revised(changes)


def _of_prices(pairs: Sequence[Pair], changes: tuple[Pair, ...]) -> Verdict:
    steps, odd = _steps(pairs)
    orderly = odd * ODD <= len(pairs) and 2 * len(steps) <= len(pairs) + 1
    if steps and orderly and len(steps) <= MOST_STEPS + 1:
        oldest = steps[0]
        if ONE in oldest or (len(pairs) == 1 and _is_flat(pairs[0][0])):
            return Revised(changes)
        if not _is_weak(pairs):
            return Restated(_simplest(oldest), _volume_factor(pairs))
    foreign = sum(_is_foreign(old, new) for old, new in changes)
    if foreign * 2 > len(pairs):
        return Unlike(len(pairs), foreign)
    moved = sum(_prices(old) != _prices(new) for old, new in changes)
    if moved * 2 > len(pairs) and len(pairs) >= ENOUGH:
        return Restated(None, None)
    return Revised(changes)


def _steps(pairs: Sequence[Pair]) -> tuple[list[Range], int]:
    """相继的几段各自的倍数,旧的在前;以及几根什么倍数都不合。"""
    half_old = _half_step(old for old, _ in pairs)
    half_new = _half_step(new for _, new in pairs)
    steps: list[Range] = []
    odd = 0
    for old, new in pairs:
        fits = _factors(old, new, half_old, half_new)
        if fits is None:
            odd += 1
        elif steps and (both := steps[-1].both(fits)):
            steps[-1] = both
        else:
            steps.append(fits)
    return steps, odd


def _factors(
    old: Kline, new: Kline, half_old: Fraction, half_new: Fraction
) -> Range | None:
    """把四个价格都变成新价格的倍数,算上两边的舍入。"""
    if _prices(old) == _prices(new):
        return Range(ONE, ONE)
    found: Range | None = Range(Fraction(0), Fraction(10**12))
    for before, after in zip(_prices(old), _prices(new), strict=True):
        least = Fraction(before) - half_old
        if found is None or least <= 0:
            return None
        low = (Fraction(after) - half_new) / (Fraction(before) + half_old)
        found = found.both(Range(low, (Fraction(after) + half_new) / least))
    return found


def _half_step(klines: Iterable[Kline]) -> Fraction:
    """价格最小单位的一半:小数位数最多的那个价格说了算。"""
    exponents = (
        price.normalize().as_tuple().exponent for k in klines for price in _prices(k)
    )
    places = max(-int(exponent) for exponent in exponents)
    return Fraction(1, 2 * 10 ** max(0, places))


def _volume_factor(pairs: Sequence[Pair]) -> Fraction | None:
    """成交量共同的倍数,没有就是 None;没有成交的不看。"""
    found = Range(Fraction(0), Fraction(10**18))
    half = Fraction(1, 2)
    for old, new in pairs:
        if old.volume <= 1 or new.volume <= 0:
            continue
        low = (Fraction(new.volume) - half) / (Fraction(old.volume) + half)
        high = (Fraction(new.volume) + half) / (Fraction(old.volume) - half)
        both = found.both(Range(low, high))
        if both is None:
            return None
        found = both
    return _simplest(found) if found.low > 0 else None


def _simplest(within: Range) -> Fraction:
    """范围里分母最小的分数:四分之一,而不是 0.2500013;范围大于 0。"""
    whole = math.ceil(within.low)
    if whole <= within.high:
        return Fraction(whole)
    below = math.floor(within.low)
    rest = _simplest(Range(1 / (within.high - below), 1 / (within.low - below)))
    return below + 1 / rest


def _is_foreign(old: Kline, new: Kline) -> bool:
    return all(a != b for a, b in zip(_prices(old), _prices(new), strict=True))


def _is_weak(pairs: Sequence[Pair]) -> bool:
    """价格从来不动的时候,什么都像是乘了一个倍数:要看成交量是不是还认得出来。"""
    if not all(_is_flat(old) and old.close == pairs[0][0].close for old, _ in pairs):
        return False
    strange = [old.volume != new.volume for old, new in pairs if old.volume]
    return 2 * sum(strange) > len(pairs) and _volume_factor(pairs) is None


def _is_flat(kline: Kline) -> bool:
    return len(set(_prices(kline))) == 1


def _prices(kline: Kline) -> tuple[Decimal, ...]:
    return kline[1:5]
