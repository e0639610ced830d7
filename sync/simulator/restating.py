"""改写过的历史:拆股、分红之后的倍数,事后改正的日线。"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import prod

from .bar import Bar
from .sessions import sessions
from .stocks import Stock

_ONE = Fraction(1)


def revised(stock: Stock, bars: Sequence[Bar]) -> Sequence[Bar]:
    """日线改正之后的样子:另一个收盘价,多一点成交量。"""
    if not stock.revised:
        return bars
    days = sessions(stock.market).days
    return [
        _corrected(bar) if days[bar.session] in stock.revised else bar for bar in bars
    ]


def _corrected(bar: Bar) -> Bar:
    close = bar.low if bar.close != bar.low else bar.high
    return bar._replace(close=close, volume=(bar.volume or 0) + 100)


def scaled(stock: Stock, bars: Sequence[Bar]) -> Sequence[Bar]:
    """日线或者分钟线乘上倍数之后的样子。

    Scaled prices have two digits more than the stock's own, and are never 0.
    """
    if not stock.scalings:
        return bars
    days = sessions(stock.market).days
    step = Decimal(1).scaleb(-(stock.decimals or 2) - 2)
    found = []
    for bar in bars:
        day = days[bar.session]
        due = [each for each in stock.scalings if each.first <= day <= each.last]
        price = prod((each.price for each in due), start=_ONE)
        volume = prod((each.volume for each in due), start=_ONE)
        found.append(_times(bar, price, volume, step=step) if due else bar)
    return found


def _times(bar: Bar, price: Fraction, volume: Fraction, *, step: Decimal) -> Bar:
    def times(text: str) -> str:
        exact = Fraction(text) * price
        value = Decimal(exact.numerator) / Decimal(exact.denominator)
        return str(max(value.quantize(step), step))

    return bar._replace(
        open=times(bar.open),
        high=times(bar.high),
        low=times(bar.low),
        close=times(bar.close),
        volume=round((bar.volume or 0) * volume),
    )
