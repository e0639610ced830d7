"""数字写给人看:一位也不少。"""

from __future__ import annotations

from decimal import Decimal


def exact(value: Decimal, *, places: int = 0) -> str:
    """一个数,一位也不少;小数至少 `places` 位,千位有逗号。"""
    return f"{value:,.{max(places, decimals(value))}f}"


def decimals(value: Decimal) -> int:
    """一个数有几位小数,末尾的零不算。"""
    exponent = value.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)
