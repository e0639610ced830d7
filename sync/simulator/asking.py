"""请求的参数:读出来,查一查。"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from urllib.parse import parse_qs

from sync.engine.markets import MARKETS

Given = Mapping[str, str]


class BadParameter(ValueError):
    """参数缺少、多余或者不对。"""


def parsed(query: str) -> Given:
    """读出查询串里的参数;给了两次的抛出 BadParameter。"""
    given = parse_qs(query, keep_blank_values=True)
    twice = sorted(name for name, values in given.items() if len(values) > 1)
    if twice:
        raise BadParameter(f"given twice: {', '.join(twice)}")
    return {name: values[0] for name, values in given.items()}


def only(given: Given, *, required: Set[str], optional: Set[str] = frozenset()) -> None:
    """检查参数不多也不少;否则抛出 BadParameter。"""
    missing = sorted(name for name in required if not given.get(name))
    if missing:
        raise BadParameter(f"missing: {', '.join(missing)}")
    unknown = sorted(given.keys() - required - optional)
    if unknown:
        raise BadParameter(f"unknown: {', '.join(unknown)}")


def market_of(region: str) -> str:
    """读出市场;大小写都行,不认识的抛出 BadParameter。"""
    market = region.upper()
    if market not in MARKETS:
        raise BadParameter("region is not known")
    return market


def number(given: Given, name: str, *, usual: int, least: int) -> int:
    """读出一个整数;没有给就是 `usual`,不对的抛出 BadParameter。"""
    text = given.get(name)
    if text is None:
        return usual
    # Fifteen digits of milliseconds reach beyond the year 9999 that datetime knows.
    if not re.fullmatch("[0-9]{1,14}", text) or int(text) < least:
        raise BadParameter(f"{name} must be a whole number, {least} or more")
    return int(text)
