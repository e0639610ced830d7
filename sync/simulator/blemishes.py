"""真实行情里的瑕疵:停牌日的零、重复的时间戳、空的成交量、差一点的价格。

What is served differs from what is true: `served` is the one, `sound` the other. One
bar in fifty of a blemished stock is touched, or all of them where a field is null.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Literal

from .bar import Bar
from .bars import chunk
from .sessions import sessions
from .stocks import Stock

Blemish = Literal["", "twice", "null_volume", "rounding", "close_above_high"]
_ONE_IN = 50


def served(stock: Stock, period: str, key: int, *, zeros: bool) -> Sequence[Bar]:
    """一块里 iTick 会给出的 K 线,旧的在前。

    With `zeros` a suspended day has a bar of its own, whose prices but the close are 0.
    """
    bars = chunk(stock, period, key)
    if zeros and period == "day" and stock.suspended:
        bars = sorted([*bars, *_zeros(stock, key)])
    if not stock.blemish:
        return bars
    spoil = _SPOILED[stock.blemish]
    return [
        one
        for place, bar in enumerate(bars)
        for one in (spoil(bar) if _touched(stock, place) else [bar])
    ]


def sound(stock: Stock, period: str, key: int) -> Iterable[Bar]:
    """一块里应该存下的 K 线,旧的在前。

    Of a stamp that comes twice the later bar, a price that is off by one step widened,
    no bar that cannot be right.
    """
    bars = chunk(stock, period, key)
    if not stock.blemish:
        return bars
    mend = _MENDED[stock.blemish]
    return [
        one
        for place, bar in enumerate(bars)
        for one in (mend(bar) if _touched(stock, place) else [bar])
    ]


def _touched(stock: Stock, place: int) -> bool:
    return stock.blemish == "null_volume" or place % _ONE_IN == _ONE_IN // 2


def _zeros(stock: Stock, year: int) -> list[Bar]:
    calendar = sessions(stock.market)
    days = calendar.between(date(year, 1, 1), date(year, 12, 31))
    found = []
    for number in days:
        if stock.suspended_on(calendar.days[number]):
            last = _close_before(stock, number)
            span = (calendar.opens[number], calendar.closes[number])
            found += [Bar(number, *span, "0", "0", "0", last, 0, "0", number)] * bool(
                last
            )
    return found


def _close_before(stock: Stock, number: int) -> str:
    year = sessions(stock.market).days[number].year
    for key in (year, year - 1, year - 2):
        before = [bar for bar in chunk(stock, "day", key) if bar.session < number]
        if before:
            return before[-1].close
    return ""


def _step(price: str) -> Decimal:
    return Decimal(1).scaleb(int(Decimal(price).as_tuple().exponent))


def _earlier_and_later(bar: Bar) -> list[Bar]:
    """The bar as it was while it formed, and the bar."""
    return [bar._replace(volume=(bar.volume or 0) // 2, close=bar.open), bar]


def _one_step_short(bar: Bar) -> list[Bar]:
    top = max(bar.open, bar.close, key=Decimal)
    short = str(Decimal(top) - _step(top))
    return [bar._replace(high=max(short, bar.low, key=Decimal))]


def _widened(bar: Bar) -> list[Bar]:
    return [bar._replace(high=max(bar.open, bar.close, key=Decimal))]


def _too_high(bar: Bar) -> list[Bar]:
    return [bar._replace(close=str(Decimal(bar.high) * 2))]


def _without_volume(bar: Bar) -> list[Bar]:
    return [bar._replace(volume=None, turnover=None)]


def _as_it_is(bar: Bar) -> list[Bar]:
    return [bar]


def _nothing(_bar: Bar) -> list[Bar]:
    return []


_Change = Callable[[Bar], list[Bar]]
_SPOILED: dict[str, _Change] = {
    "twice": _earlier_and_later,
    "null_volume": _without_volume,
    "rounding": _one_step_short,
    "close_above_high": _too_high,
}
_MENDED: dict[str, _Change] = {
    "twice": _as_it_is,
    "null_volume": _without_volume,
    "rounding": _widened,
    "close_above_high": _nothing,
}
