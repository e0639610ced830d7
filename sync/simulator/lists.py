"""清单:股票、拆股、新股。"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from sync.engine.markets import today

from .actions import Split
from .asking import BadParameter, Given, number, only
from .quirks import Quirks
from .stamps import utc_midnight
from .stocks import Listing, Stock

_TYPES = {"stock", "forex", "indices", "crypto", "future", "fund"}
_RECENTLY = timedelta(days=365)
_FUNDS = {"US": "SPY"}


def is_fund(market: str, code: str) -> bool:
    """这个代码是不是基金;基金没有股票的行情。"""
    return code == _fund(market)


def _fund(market: str) -> str:
    return _FUNDS.get(market, "FUND")


class Lists:
    """一个市场的各种清单,JSON 原文。

    Any thread may ask. `splits` are those that have been told so far.
    """

    def __init__(
        self,
        listing: Listing,
        *,
        quirks: Quirks,
        now: Callable[[], datetime],
        splits: Callable[[], tuple[Split, ...]],
    ) -> None:
        self._listing = listing
        self._quirks = quirks
        self._now = now
        self._splits = splits
        # A list is long, and the same all day unless something happens to a stock.
        self._symbols = lru_cache(maxsize=8)(self._listed)

    def symbols(self, market: str, given: Given) -> str:
        """一个市场的产品清单;`code` 只要那一个。"""
        only(given, required={"type", "region"}, optional={"code"})
        if given["type"] not in _TYPES:
            raise BadParameter(f"type is one of {', '.join(sorted(_TYPES))}")
        if given["type"] == "fund":
            return json.dumps([_fund_row(market)])
        if given["type"] != "stock":
            return "[]"
        changes = self._listing.changes.count
        rows = self._symbols(market, today(market, at=self._now()), changes)
        if "code" in given:
            return json.dumps([row for row in rows if row["c"] == given["code"]])
        return json.dumps(rows)

    def _listed(self, market: str, _at: date, _changes: int) -> list[dict[str, str]]:
        found = (self._listing.find(market, code) for code in self._codes(market))
        rows = [_symbol(stock) for stock in found if stock and not stock.delisted]
        return _oddly(rows, market) if self._quirks.odd_rows else rows

    def _codes(self, market: str) -> list[str]:
        return self._listing.codes(market)

    def splits(self, market: str, given: Given) -> str:
        """一页拆股和合股,新的在前。"""
        only(given, required={"region"}, optional={"page", "size", "code"})
        told = [split for split in self._splits() if split.market == market]
        rows = [
            self._split(split)
            for split in sorted(told, key=lambda each: each.on, reverse=True)
            if given.get("code", split.code) == split.code
        ]
        return self._page(rows, given)

    def _split(self, split: Split) -> dict[str, Any]:
        parts = [str(split.new), str(split.old)]
        if self._quirks.split_ratio == "old_new":
            parts.reverse()
        return {
            "d": utc_midnight(split.on),
            "r": split.market,
            "n": split.name,
            "c": split.code,
            "v": ":".join(parts),
        }

    def ipos(self, market: str, given: Given) -> str:
        """一页新股:最近上市的;即将上市的一只也没有。"""
        only(given, required={"region", "type"}, optional={"page", "size"})
        if given["type"] not in {"upcoming", "recent"}:
            raise BadParameter("type is upcoming or recent")
        at = today(market, at=self._now())
        stocks = [
            stock
            for code in self._codes(market)
            if (stock := self._listing.find(market, code))
            and at - _RECENTLY <= stock.listed <= at
            and given["type"] == "recent"
        ]
        rows = [_ipo(stock) for stock in sorted(stocks, key=lambda each: each.listed)]
        return self._page(rows[::-1], given)

    def _page(self, rows: Sequence[dict[str, Any]], given: Given) -> str:
        first = self._quirks.first_page
        size = number(given, "size", usual=20, least=1)
        page = number(given, "page", usual=first, least=0)
        start = max(page - first, 0) * size
        pages = -(-len(rows) // size)
        return json.dumps(
            {
                "content": rows[start : start + size],
                "page": page,
                "size": size,
                "totalElements": len(rows),
                "totalPages": pages,
                "last": start + size >= len(rows),
            }
        )


def _symbol(stock: Stock) -> dict[str, str]:
    return {
        "c": stock.code,
        "n": stock.name,
        "t": "stock",
        "e": stock.exchange,
        "s": "Simulation",
        "l": f"{stock.market.lower()}-{stock.code.lower()}",
    }


def _fund_row(market: str) -> dict[str, str]:
    code = _fund(market)
    return {
        "c": code,
        "n": f"Simulated fund {code}",
        "t": "fund",
        "e": market,
        "s": "",
        "l": f"{market.lower()}-{code.lower()}",
    }


def _oddly(rows: list[dict[str, str]], market: str) -> list[dict[str, str]]:
    """With rows of another exchange, a fund, a code twice, HTML in a name."""
    named = [row | {"n": "Simulated &amp; Sons"} for row in rows[1:2]]
    twice = [row | {"e": "OTC", "n": f"{row['n']} (OTC)"} for row in rows[:1]]
    elsewhere = {"c": "RELIANCE", "n": "Elsewhere Ltd", "t": "stock", "e": "NSE"}
    return [
        *rows[:1],
        *named,
        *rows[2:],
        *twice,
        elsewhere | {"s": "Simulation", "l": "in-reliance"},
        _fund_row(market),
    ]


def _ipo(stock: Stock) -> dict[str, Any]:
    return {
        "dt": utc_midnight(stock.listed),
        "cn": stock.name,
        "sc": stock.code,
        "ex": stock.exchange,
        "mc": "19.1M",
        "pr": "4.00",
        "ct": stock.market,
        "bs": None,
        "es": None,
        "ro": None,
    }
