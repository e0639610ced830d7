"""模拟的股票:代码、上市日、停牌。

Everything about a stock follows from its market and code, so that two simulators, and
a simulator started again, tell the same story.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import lru_cache
from random import Random
from threading import Lock
from zlib import crc32

from .realbars import REAL
from .sessions import FIRST_DAY

EXCHANGES = {"HK": "HKEX", "SH": "SSE", "SZ": "SZSE", "US": "NASDAQ"}
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_RECENT = 10  # one stock in so many was listed in recent years
_SUSPENDED = 25  # one stock in so many has been suspended
_FIRST_NUMBERS = {"HK": 700, "SH": 599_999, "SZ": 1}


@dataclass(frozen=True, slots=True)
class Scaling:
    """一段日子的价格和成交量乘上的倍数;两端都包括。"""

    first: date
    last: date
    price: Fraction
    volume: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Stock:
    """一只模拟的股票。

    It trades from `listed` to `ended`, both included, but for the spans in `suspended`,
    whose ends are included too. `decimals` is the number of digits behind its prices'
    point; 0 marks a stock with real bars, whose prices are what they are. `company`
    counts those who had the code before; `extended` has minutes before the open and
    after the close; the provider no longer knows a stock that is not `known`. `blemish`
    is what is wrong with the bars that are served of it.
    """

    market: str
    code: str
    name: str
    exchange: str
    listed: date
    ended: date = date.max
    decimals: int = 2
    suspended: tuple[tuple[date, date], ...] = ()
    company: int = 0
    scalings: tuple[Scaling, ...] = ()
    revised: frozenset[date] = frozenset()
    extended: bool = False
    halted: bool = False
    delisted: bool = False
    known: bool = True
    blemish: str = ""

    @property
    def seed(self) -> str:
        """它的行情由这几个字决定。"""
        return f"{self.market}{self.code}" + f"#{self.company}" * bool(self.company)

    def trades_on(self, day: date) -> bool:
        """这个交易日有没有成交。"""
        return self.listed <= day <= self.ended and not self.suspended_on(day)

    def suspended_on(self, day: date) -> bool:
        """这一天是不是停牌。"""
        return any(first <= day <= last for first, last in self.suspended)


Change = Callable[[Stock], Stock]


class Changes:
    """股票上发生的事:从某一刻起,它就不一样了。

    Any thread may ask and add. `now_ms` is the clock by which they come to pass.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.count = 0
        self._now_ms = now_ms
        self._of: dict[tuple[str, str], tuple[tuple[int, Change], ...]] = {}
        self._lock = Lock()

    def add(self, market: str, code: str, change: Change, *, from_ms: int = 0) -> None:
        """从 `from_ms` 起,这只股票按 `change` 变。"""
        with self._lock:
            before = self._of.get((market, code), ())
            self._of[market, code] = (*before, (from_ms, change))
            self.count += 1

    def applied(self, stock: Stock) -> Stock:
        """这只股票现在的样子。"""
        due = self._of.get((stock.market, stock.code))
        if due is None:
            return stock
        now_ms = self._now_ms()
        for from_ms, change in due:
            if from_ms <= now_ms:
                stock = change(stock)
        return stock


@dataclass(frozen=True, slots=True)
class Listing:
    """各个市场有哪些股票。

    `count` generated ones in every market but US, which lists the real ones alone;
    generated ones of US answer when they are asked for by their code. `changes` are
    what has been told to happen to some of them.
    """

    count: int
    changes: Changes

    def codes(self, market: str) -> list[str]:
        """一个市场的全部代码。"""
        if market == "US":
            return sorted(REAL)
        return [_code(market, number=n) for n in range(self.count)]

    def find(self, market: str, code: str) -> Stock | None:
        """找一只股票,带上它到现在发生过的事;没有就返回 None。"""
        stock = self._found(market, code)
        return stock and self.changes.applied(stock)

    def _found(self, market: str, code: str) -> Stock | None:
        if market == "US" and code in REAL:
            return _real(code)
        number = _number(market, code=code)
        if number is None or not 0 <= number < self.count:
            return None
        return _generated(market, code)


def _code(market: str, *, number: int) -> str:
    if market == "US":
        return "X" + "".join(
            _LETTERS[number // 26**place % 26] for place in (3, 2, 1, 0)
        )
    if market == "SH" and number == 0:
        return "000001"  # SZ has it too, which is what tests want
    first = _FIRST_NUMBERS.get(market, 1000)
    return f"{first + number:06d}" if market == "SZ" else str(first + number)


def _number(market: str, *, code: str) -> int | None:
    if market == "US":
        return _letters_number(code)
    if not re.fullmatch("[0-9]{1,9}", code):
        return None
    number = int(code) - _FIRST_NUMBERS.get(market, 1000)
    if market == "SH" and code == "000001":
        number = 0
    return number if number >= 0 and _code(market, number=number) == code else None


def _letters_number(code: str) -> int | None:
    if not re.fullmatch("X[A-Z]{4}", code):
        return None
    number = 0
    for letter in code[1:]:
        number = number * 26 + _LETTERS.index(letter)
    return number


@lru_cache(maxsize=8192)
def _generated(market: str, code: str) -> Stock:
    draw = Random(f"{market}{code}")  # noqa: S311
    mark = crc32(f"{market}{code}".encode())
    recent = mark % _RECENT == 0
    first, last = (date(2018, 1, 1), date(2025, 6, 30)) if recent else _LONG_AGO
    listed = first + timedelta(days=draw.randrange((last - first).days))
    return Stock(
        market=market,
        code=code,
        name=f"Simulated {code}",
        exchange=EXCHANGES.get(market, market),
        listed=listed,
        decimals=2 + draw.randrange(2),
        suspended=_suspensions(draw) if mark % _SUSPENDED == 1 else (),
    )


_LONG_AGO = (FIRST_DAY, date(2014, 1, 1))


def _suspensions(draw: Random) -> tuple[tuple[date, date], ...]:
    starts = [date(2015 + draw.randrange(10), 3, 1 + draw.randrange(28)) for _ in "ab"]
    return tuple(
        (start, start + timedelta(days=10 + draw.randrange(50))) for start in starts
    )


@lru_cache(maxsize=8)
def _real(code: str) -> Stock:
    bars = REAL[code]
    return Stock(
        market="US",
        code=code,
        name=code,
        exchange=EXCHANGES["US"],
        listed=bars.first,
        ended=bars.last,
        decimals=0,
    )
