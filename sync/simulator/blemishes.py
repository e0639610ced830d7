"""真实行情里的瑕疵:停牌日的零、重复的时间戳、空的成交量、差一点的价格。

What is served differs from what is true: `served` is the one, `sound` the other. One
bar in fifty of a blemished stock is touched, or all of them where a field is null.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Literal

from .bar import Bar
from .bars import chunk
from .quirks import Quirks
from .sessions import sessions
from .stocks import Stock

Blemish = Literal[
    "", "twice", "null_volume", "rounding", "close_above_high", "zero_prices"
]
_ONE_IN = 50


def served(stock: Stock, period: str, key: int, *, quirks: Quirks) -> Sequence[Bar]:
    """一块里 iTick 会给出的 K 线,旧的在前。

    Of two bars with one stamp the newer will be the later in the answer, which may be
    turned round. A suspended day may have a bar of its own, whose prices but the close
    are 0.
    """
    bars = chunk(stock, period, key)
    if quirks.suspended == "zeros" and period == "day" and stock.suspended:
        bars = sorted([*bars, *_zeros(stock, key)])
    if not stock.blemish:
        return bars
    found: list[Bar] = []
    for place, bar in enumerate(bars):
        spoiled = _spoiled(stock.blemish, bar) if _touched(stock, place) else [bar]
        found += spoiled[::-1] if quirks.order == "newest_first" else spoiled
    return found


def sound(stock: Stock, period: str, key: int) -> Iterable[Bar]:
    """一块里应该存下的 K 线,旧的在前。

    Of a stamp that comes twice the later bar, a price that is off by one step widened,
    no bar that cannot be right.
    """
    bars = chunk(stock, period, key)
    if not stock.blemish:
        return bars
    return [
        one
        for place, bar in enumerate(bars)
        for one in (_mended(stock.blemish, bar) if _touched(stock, place) else [bar])
    ]


def _touched(stock: Stock, place: int) -> bool:
    return stock.blemish == "null_volume" or place % _ONE_IN == _ONE_IN // 2


def _spoiled(blemish: str, bar: Bar) -> list[Bar]:
    """What is served of one bar, the older first."""
    if blemish == "twice":  # as it was while it formed, and as it is
        return [bar._replace(volume=(bar.volume or 0) // 2, close=bar.open), bar]
    if blemish == "null_volume":
        return [bar._replace(volume=None, turnover=None)]
    if blemish == "rounding":
        return [_one_step_short(bar)]
    if blemish == "close_above_high":
        return [bar._replace(close=str(Decimal(bar.high) * 2))]
    return [bar._replace(open="0", high="0", low="0", close="0")]


def _mended(blemish: str, bar: Bar) -> list[Bar]:
    """What is to be stored of one bar."""
    if blemish == "twice":
        return [bar]
    if blemish == "null_volume":
        return _spoiled(blemish, bar)
    if blemish == "rounding":
        return [_widened(_one_step_short(bar))]
    return []


def _one_step_short(bar: Bar) -> Bar:
    bottom, top = sorted((bar.open, bar.close), key=Decimal)
    step = Decimal(1).scaleb(int(Decimal(top).as_tuple().exponent))
    if (bar.volume or 0) % 2:
        return bar._replace(low=str(Decimal(bottom) + step))
    return bar._replace(high=str(Decimal(top) - step))


def _widened(bar: Bar) -> Bar:
    prices = sorted((bar.open, bar.high, bar.low, bar.close), key=Decimal)
    return bar._replace(low=prices[0], high=prices[-1])


def _zeros(stock: Stock, year: int) -> list[Bar]:
    calendar = sessions(stock.market)
    numbers = calendar.between(date(year, 1, 1), date(year, 12, 31))
    return [
        Bar(
            session=number,
            start=calendar.opens[number],
            end=calendar.closes[number],
            open="0",
            high="0",
            low="0",
            close=close,
            volume=0,
            turnover="0",
            last=number,
        )
        for number in numbers
        if stock.suspended_on(calendar.days[number])
        and (close := _close_before(stock, number))
    ]


def _close_before(stock: Stock, number: int) -> str:
    """The last close before a session; empty where there is none for two years."""
    year = sessions(stock.market).days[number].year
    for key in (year, year - 1, year - 2):
        before = [bar for bar in chunk(stock, "day", key) if bar.session < number]
        if before:
            return before[-1].close
    return ""
