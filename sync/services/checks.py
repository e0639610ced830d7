"""几个用例都要检查的值;不对时抛出 BadRequest,说出哪里不对。"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from django.utils.translation import gettext as _

from ..engine.markets import MARKETS
from ..engine.periods import PERIODS
from .errors import BadRequest


def check_market(market: str, *, field: str = "market") -> None:
    """检查市场的代码,不认识时说出认识的。"""
    if market not in MARKETS:
        text = _("Unknown market %(value)r: known are %(names)s.")
        raise BadRequest(field, _filled(text, market, MARKETS))


def check_period(period: str) -> None:
    """检查周期的名字,不认识时说出认识的。"""
    if period not in PERIODS:
        text = _("Unknown period %(value)r: known are %(names)s.")
        raise BadRequest("period", _filled(text, period, PERIODS))


def check_choice(field: str, value: str, known: Iterable[str]) -> str:
    """检查一个词,不认识时说出认识的;返回它。"""
    names = list(known)
    if value not in names:
        text = _("Unknown value %(value)r of %(field)s: known are %(names)s.")
        values = {"value": value, "field": field, "names": ", ".join(names)}
        raise BadRequest(field, text % values)
    return value


def check_order(start: date, end: date) -> None:
    """检查区间的开始不在结束之后。"""
    if start > end:
        text = _("The start %(start)s is after the end %(end)s.")
        raise BadRequest("start", text % {"start": start, "end": end})


def _filled(text: str, value: str, names: Iterable[str]) -> str:
    return text % {"value": value, "names": ", ".join(names)}
