"""拆股:写的比例是哪个方向,K 线按它调整过没有。

Which way "1:10" is to be read is documented nowhere, and neither is whether the
provider adjusts older bars. Both are read off the bars: from the last close before the
ex-date to the first open from it on, the price falls or rises by the ratio, which tells
the direction and that nothing was adjusted, or it goes on as ever.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise

from .ports import Kline

# A step has to come so near to what it is taken for, as a share of the whole step.
NEAR = 1 / 3
# Nights are no quieter than that, though the few we see may be.
QUIETEST = 0.02
# Nor is a night on which there was a split louder than that, as a rule.
LOUD = 0.25


class Written(StrEnum):
    """比例的写法:新股数在前,或者旧股数在前。"""

    NEW_OLD = "new_old"
    OLD_NEW = "old_new"


@dataclass(frozen=True, slots=True)
class Seen:
    """K 线说明的事;None 和空是看不出来。"""

    written: Written | None = None
    adjusted: bool | None = None


def read_ratio(text: str) -> Fraction | None:
    """读出 "1:10" 这样的比例,前面的数除以后面的;不是比例、或者是一比一返回 None。"""
    try:
        first, second = (Decimal(part.strip()) for part in text.split(":"))
        ratio = Fraction(first) / Fraction(second)
    except (ArithmeticError, ValueError):
        return None
    return ratio if ratio > 0 and ratio != 1 else None


def shares(ratio: Fraction, written: Written) -> Fraction:
    """一股变成几股。"""
    return ratio if written is Written.NEW_OLD else 1 / ratio


def look(ratio: Fraction, before: Sequence[Kline], after: Kline | None) -> Seen:
    """从除权日前后的 K 线看;`before` 旧的在前,到除权日以前的最后一根。"""
    if not before or after is None:
        return Seen()
    step = _step(before[-1], after)
    usual = max([QUIETEST, *_nights(before)])
    whole = abs(math.log(ratio))
    if usual > whole * NEAR:
        return Seen()  # an ordinary night may be as much
    near = min(whole * NEAR, max(LOUD, 2 * usual))
    if abs(step) <= near:
        return Seen(adjusted=True)
    if abs(abs(step) - whole) > near:
        return Seen()
    return Seen(_direction(ratio, step), adjusted=False)


def direction(ratio: Fraction, factor: float) -> Written | None:
    """历史的价格整体乘上了 `factor`:比例是怎样写的;不是这次拆股就返回 None。"""
    whole, step = abs(math.log(ratio)), math.log(factor)
    if abs(abs(step) - whole) > whole * NEAR:
        return None
    return _direction(ratio, step)


def notation(seen: Iterable[str]) -> Written:
    """看得出来的多数是怎样写的;一样多、或者都看不出来,当作新股数在前。"""
    known = [text for text in seen if text]
    old_first = known.count(Written.OLD_NEW)
    return Written.OLD_NEW if old_first * 2 > len(known) else Written.NEW_OLD


def _direction(ratio: Fraction, step: float) -> Written:
    # More shares than before, and each costs less: 4:1 is new:old where the price fell.
    fell, first_is_more = step < 0, ratio > 1
    return Written.NEW_OLD if fell == first_is_more else Written.OLD_NEW


def _step(before: Kline, after: Kline) -> float:
    return math.log(after.open / before.close)


def _nights(bars: Sequence[Kline]) -> list[float]:
    return [abs(_step(older, newer)) for older, newer in pairwise(bars)]
