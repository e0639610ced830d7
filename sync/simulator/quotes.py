"""报价、成交、盘口和公司资料,都从日线来。"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from .asking import BadParameter, Given, only
from .bar import Bar
from .book import Book, milliseconds
from .sessions import sessions
from .stocks import Stock

_NORMAL, _SUSPENDED, _DELISTED, _HALTED = range(4)
_LEVELS = range(1, 11)
_CURRENCIES = {"US": "USD", "HK": "HKD", "SH": "CNY", "SZ": "CNY"}


class Quotes:
    """此刻的行情,JSON 原文;不认识的代码是 null,一批里没有它。"""

    def __init__(self, book: Book, *, now: Callable[[], datetime]) -> None:
        self._book = book
        self._now = now

    def quote(self, market: str, given: Given) -> str:
        """一只股票的报价;`ts` 是 0 正常、1 停牌、2 退市、3 熔断,`p` 是昨收。"""
        return self._one(market, given, self._quote)

    def quotes(self, market: str, given: Given) -> str:
        """几只股票的报价,按代码。"""
        return self._many(market, given, self._quote)

    def tick(self, market: str, given: Given) -> str:
        """一只股票最近的一笔成交。"""
        return self._one(market, given, self._tick)

    def ticks(self, market: str, given: Given) -> str:
        """几只股票最近的一笔成交,按代码。"""
        return self._many(market, given, self._tick)

    def depth(self, market: str, given: Given) -> str:
        """一只股票的十档盘口。"""
        return self._one(market, given, self._depth)

    def depths(self, market: str, given: Given) -> str:
        """几只股票的十档盘口,按代码。"""
        return self._many(market, given, self._depth)

    def info(self, market: str, given: Given) -> str:
        """一家公司的资料;不认识的代码是 null。"""
        only(given, required={"region", "code"}, optional={"type"})
        if given.get("type", "stock") != "stock":
            return "null"
        stock = self._known(market, given["code"])
        return json.dumps(stock and _info(stock))

    def _one(
        self, market: str, given: Given, told: Callable[[Stock], dict[str, Any] | None]
    ) -> str:
        only(given, required={"region", "code"}, optional={"exchange"})
        stock = self._known(market, given["code"])
        return json.dumps(stock and told(stock))

    def _many(
        self, market: str, given: Given, told: Callable[[Stock], dict[str, Any] | None]
    ) -> str:
        only(given, required={"region", "codes"}, optional={"exchange"})
        codes = dict.fromkeys(given["codes"].split(","))
        if len(codes) > _MOST_CODES:
            raise BadParameter(f"more than {_MOST_CODES} codes")
        found = ((code, self._known(market, code)) for code in codes)
        parts = ((code, stock and told(stock)) for code, stock in found)
        return json.dumps({code: part for code, part in parts if part})

    def _known(self, market: str, code: str) -> Stock | None:
        stock = self._book.listing.find(market, code)
        return stock if stock is not None and stock.known else None

    def _quote(self, stock: Stock) -> dict[str, Any] | None:
        bars = self._book.latest_days(stock, 2)
        if not bars:
            return None
        status, bar = self._status(stock), bars[-1]
        traded = status in {_NORMAL, _HALTED}
        before = bars[0] if traded else bar
        change = float(Decimal(bar.close) - Decimal(before.close))
        share = change / float(before.close) * 100
        return {
            "s": stock.code,
            "ld": float(bar.close),
            "o": float(bar.open) if traded else 0,
            "p": float(before.close),
            "h": float(bar.high) if traded else 0,
            "l": float(bar.low) if traded else 0,
            "t": min(bar.end, milliseconds(self._now())),
            "v": bar.volume if traded else 0,
            "tu": float(bar.turnover or 0) if traded else 0,
            "ts": status,
            "ch": round(change, 4),
            "chp": round(share, 2),
        }

    def _status(self, stock: Stock) -> int:
        calendar = sessions(stock.market)
        day = calendar.days[calendar.at(milliseconds(self._now()))]
        if stock.delisted:
            return _DELISTED
        if stock.suspended_on(day):
            return _SUSPENDED
        return _HALTED if stock.halted else _NORMAL

    def _tick(self, stock: Stock) -> dict[str, Any] | None:
        quote = self._quote(stock)
        return quote and {key: quote[key] for key in ("s", "ld", "t", "v")} | {"te": 0}

    def _depth(self, stock: Stock) -> dict[str, Any] | None:
        bars = self._book.latest_days(stock, 1)
        if not bars:
            return None
        return {"s": stock.code, "a": _side(bars[0], 1), "b": _side(bars[0], -1)}


_MOST_CODES = 100


def _side(bar: Bar, sign: int) -> list[dict[str, Any]]:
    last = Decimal(bar.close)
    step = Decimal(1).scaleb(int(last.as_tuple().exponent)) * sign
    return [
        {"po": level, "p": float(last + step * level), "v": 100 * level, "o": level}
        for level in _LEVELS
    ]


def _info(stock: Stock) -> dict[str, Any]:
    currency = _CURRENCIES.get(stock.market, "USD")
    return {
        "c": stock.code,
        "n": stock.name,
        "t": "stock",
        "e": stock.exchange,
        "s": "Simulation",
        "i": "Simulated companies",
        "r": currency,
        "bd": f"{stock.name} makes nothing but bars.",
        "wu": "http://simulated.invalid",
        "mcb": 1_000_000_000,
        "tso": 100_000_000,
        "pet": 12.5,
        "fcc": currency,
    }
