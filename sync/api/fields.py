"""请求里常见的值。"""

from __future__ import annotations

from datetime import date
from typing import Any

from rest_framework import serializers

from ..engine import markets

MARKETS = [(code, code) for code in markets.MARKETS]
PERIODS = [(name, name) for name in markets.PERIODS]
# Far enough from both ends of the calendar for any zone and any step.
FIRST, LAST = date(1900, 1, 1), date(2199, 12, 31)
LARGEST = 2**63 - 1
CODE_LENGTH = 20


class TradeDate(serializers.DateField):
    """交易日,YYYY-MM-DD。"""

    def __init__(self, **options: Any) -> None:
        super().__init__(input_formats=["%Y-%m-%d"], **options)

    def to_internal_value(self, value: Any) -> date:
        """太早太晚的都不对。"""
        day = super().to_internal_value(value)
        if not FIRST <= day <= LAST:
            raise serializers.ValidationError(
                f"Give a date from {FIRST} to {LAST}.", code="invalid"
            )
        return day


def market(**options: Any) -> serializers.ChoiceField:
    """已知的市场。"""
    return serializers.ChoiceField(choices=MARKETS, **options)


def period(**options: Any) -> serializers.ChoiceField:
    """已知的周期。"""
    return serializers.ChoiceField(choices=PERIODS, **options)


def code(**options: Any) -> serializers.CharField:
    """股票代码。"""
    return serializers.CharField(max_length=CODE_LENGTH, **options)
