"""请求里常见的值。

What a field takes is what the OpenAPI document says it takes. In an address and in a
form every value is text; in JSON it must have its own type.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ..engine import markets, periods, stock_codes

MARKETS = [(code, code) for code in markets.MARKETS]
PERIODS = [(name, name) for name in periods.PERIODS]
LARGEST = 2**63 - 1
CODE_LENGTH = 20
NUMBER = re.compile(r"-?[0-9]+")
# What `engine.stock_codes` reads, for the document: around a code blanks and invisible
# characters, and what a spreadsheet leaves; full-width forms of all but the blank.
AROUND = "[ \t\r\n\\u00a0\\u00ad\\u2007\\u202f\\u3000\\u200b-\\u200f\\u2060\\ufeff]*"
DIGIT, LETTER = "0-9\\uff10-\\uff19", "A-Za-z\\uff21-\\uff3a\\uff41-\\uff5a"
SIGNS = (
    ".&*$^+/_:@\\uff0e\\uff06\\uff0a\\uff04\\uff3e"
    "\\uff0b\\uff0f\\uff3f\\uff1a\\uff20\\uff0d-"
)
POINT, END = "[.\\uff0e]", f'{AROUND}["\\uff02]?{AROUND}$'
# Neither 6.00519E+05 nor a number with a fraction; blanks only between.
BARE = (
    f"(?![{DIGIT}]+({POINT}[{DIGIT}]+)?[Ee\\uff25\\uff45][+\\uff0b\\uff0d-]?[{DIGIT}]+{END})"
    f"(?![{DIGIT}]+{POINT}[{DIGIT}]*[1-9\\uff11-\\uff19][{DIGIT}]*{END})"
    f"[{DIGIT}{LETTER}][{DIGIT}{LETTER}{SIGNS}]*( +[{DIGIT}{LETTER}{SIGNS}]+)*"
)
CODE = (
    f'^{AROUND}([=\\uff1d]?["\\uff02]{AROUND}[\'\\uff07]?{AROUND}{BARE}{AROUND}["\\uff02]'
    f"|['\\uff07]?{AROUND}{BARE}){AROUND}$"
)
YES_OR_NO = {"true": True, "false": False}


class TradeDate(serializers.DateField):
    """交易日,YYYY-MM-DD。"""

    def to_internal_value(self, value: Any) -> date:
        """读出来。"""
        try:
            return markets.parse_day(value)
        except (TypeError, ValueError):
            self.fail("invalid", format="YYYY-MM-DD")


class Whole(serializers.IntegerField):
    """整数。"""

    def to_internal_value(self, data: Any) -> int:
        """JSON 里的文字不是数字,`1_0` 也不是。"""
        text = isinstance(data, str)
        if text != self.context["text"] or (text and not NUMBER.fullmatch(data)):
            self.fail("invalid")
        return super().to_internal_value(data)


class Switch(serializers.BooleanField):
    """true 或 false,没有别的写法。"""

    def to_internal_value(self, data: Any) -> bool:
        """JSON 里是它自己,别处是文字。"""
        value = YES_OR_NO.get(str(data)) if self.context["text"] else data
        if not isinstance(value, bool):
            self.fail("invalid", input=data)
        return value


class Word(serializers.RegexField):
    """一个词;前后的空白不是它的一部分,数字不是文字。"""

    def __init__(self, pattern: str, **options: Any) -> None:
        super().__init__(pattern, trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        """JSON 的 1 不是 000001:要加引号。"""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


def market(**options: Any) -> serializers.ChoiceField:
    """已知的市场。"""
    return serializers.ChoiceField(choices=MARKETS, **options)


def period(**options: Any) -> serializers.ChoiceField:
    """已知的周期。"""
    return serializers.ChoiceField(choices=PERIODS, **options)


@extend_schema_field({"type": "string", "pattern": CODE, "maxLength": CODE_LENGTH})
class Code(serializers.CharField):
    """股票代码,怎么写都行,只要 `engine.stock_codes` 读得出来;读不出来的说明原因。"""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=CODE_LENGTH, trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        """JSON 的 1 不是 000001:要加引号。"""
        if not isinstance(data, str):
            self.fail("invalid")
        try:
            stock_codes.homes(data)
        except stock_codes.BadCode as error:
            raise serializers.ValidationError(_(str(error))) from None
        return data


def code(**options: Any) -> Code:
    """股票代码,服务商的写法,或者人们惯用的写法:00700、600519.SH、小写。"""
    return Code(**options)
