"""iTick 的四个接口:参数进,回答出;不碰网络。"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from urllib.parse import parse_qs

from sync.engine.markets import MARKETS

from .accounts import Account, Admission, Verdict
from .answers import Answer, Speech
from .book import Book
from .faults import NO_FAULTS, Faults, instead, on_the_way, tampered
from .quirks import Quirks
from .sessions import closed_days
from .stocks import Stock

PERIOD_OF_KTYPE = {
    "1": "1m",
    "2": "5m",
    "3": "15m",
    "4": "30m",
    "5": "60m",
    "8": "day",
    "9": "week",
    "10": "month",
}
_USUAL_LIMIT = "100"
_OLDEST_MS = 100_000_000_000  # below it, somebody counts in seconds
_KEYS: dict[str, Callable[[str], str]] = {
    "as_asked": str,
    "lower": str.lower,
    "upper": str.upper,
    "padded": lambda code: code.zfill(5) if code.isdigit() else code,
}
_GAPS = {"null": "null", "empty": "[]"}
_HOLIDAY_MARKETS = {code: code for code in MARKETS if code not in {"SH", "SZ"}} | {
    "CN": "SH"
}


class BadParameter(ValueError):
    """参数缺少、多余或者不对。"""


@dataclass(frozen=True, slots=True)
class _Bars:
    """What a call for bars asks for; the same for one code and for several."""

    period: str
    limit: int
    et: int | None
    depth: int | date
    fault: str


class Api:
    """没有网络的 iTick。

    Any thread may ask. `faults` may be replaced while requests are under way.
    """

    def __init__(
        self, book: Book, *, quirks: Quirks, now: Callable[[], datetime]
    ) -> None:
        self.faults: Faults = NO_FAULTS
        self._book = book
        self._quirks = quirks
        self._now = now
        self._speech = Speech(quirks)
        self._numbers = itertools.count()
        self._symbols = lru_cache(maxsize=8)(self._symbols_text)
        self._routes = {
            "/stock/kline": self._kline,
            "/stock/klines": self._klines,
            "/symbol/list": self._symbol_list,
            "/symbol/v2/holidays": self._holidays,
        }

    def knows(self, path: str) -> bool:
        """有没有这个接口。"""
        return path in self._routes

    def answer(self, path: str, query: str, *, admission: Admission) -> Answer:
        """回答一次调用;`path` 必须是认识的接口。"""
        if admission.verdict is Verdict.REJECTED or admission.account is None:
            known = admission.account
            return self._speech.bad_key(known.refusal if known else None)
        if admission.verdict is Verdict.REFUSED:
            return self._speech.rate_limited(retry_after=admission.retry_after)
        fault = ""
        if self.faults is not NO_FAULTS:
            fault = self.faults.pick(number=next(self._numbers))
        single = path != "/stock/klines"
        bad = instead(fault, speech=self._speech, single=single)
        if bad is not None:
            return bad
        try:
            sound = self._routes[path](_parsed(query), admission.account, fault)
        except BadParameter as error:
            return self._speech.bad_parameter(str(error))
        return on_the_way(fault, answer=sound)

    def _kline(self, given: Mapping[str, str], account: Account, fault: str) -> Answer:
        _only(given, required={"region", "code", "kType"}, optional={"limit", "et"})
        market, ask = _market(given["region"]), _asked(given, account, fault=fault)
        if account.markets is not None and market not in account.markets:
            return self._speech.not_subscribed(account.markets)
        stock = self._book.listing.find(market, given["code"])
        if stock is None:
            return self._speech.unknown_symbol()
        return self._speech.success(self._bars(stock, ask))

    def _klines(self, given: Mapping[str, str], account: Account, fault: str) -> Answer:
        _only(given, required={"region", "codes", "kType"}, optional={"limit", "et"})
        market, ask = _market(given["region"]), _asked(given, account, fault=fault)
        if account.markets is not None and market not in account.markets:
            return self._speech.not_subscribed(account.markets)
        codes = list(dict.fromkeys(given["codes"].split(",")))
        most = min(account.batch_size, self._quirks.batch_cap or account.batch_size)
        if len(codes) > most:
            return self._speech.batch_too_large()
        parts = (self._of_batch(market, code, ask) for code in codes)
        return self._speech.success(f"{{{','.join(filter(None, parts))}}}")

    def _of_batch(self, market: str, code: str, ask: _Bars) -> str:
        stock = self._book.listing.find(market, code)
        text = "[]" if stock is None else self._bars(stock, ask)
        if text == "[]":
            text = _GAPS.get(self._quirks.batch_gap, "")
        key = _KEYS[self._quirks.batch_keys](code)
        return text and f"{json.dumps(key)}:{text}"

    def _bars(self, stock: Stock, ask: _Bars) -> str:
        page = self._book.page(
            stock, ask.period, et=ask.et, limit=ask.limit, depth=ask.depth
        )
        bars = tampered(ask.fault, bars=page, period=ask.period) if ask.fault else page
        if self._quirks.order == "newest_first":
            bars = bars[::-1]
        return f"[{','.join(bars)}]"

    def _symbol_list(
        self, given: Mapping[str, str], account: Account, _fault: str
    ) -> Answer:
        _only(given, required={"type", "region"})
        market = _market(given["region"])
        if given["type"] != "stock":
            raise BadParameter("type must be stock")
        if account.markets is not None and market not in account.markets:
            return self._speech.not_subscribed(account.markets)
        return self._speech.success(
            self._symbols(market), code=self._quirks.success_code
        )

    def _symbols_text(self, market: str) -> str:
        listing = self._book.listing
        found = (listing.find(market, code) for code in listing.codes(market))
        return json.dumps([_symbol(stock) for stock in found if stock is not None])

    def _holidays(
        self, given: Mapping[str, str], _account: Account, _fault: str
    ) -> Answer:
        _only(given, required={"code"})
        market = _HOLIDAY_MARKETS.get(given["code"])
        if market is None:
            raise BadParameter("code is not a market's")
        year = self._now().year
        closed = [
            {
                "c": given["code"],
                "r": given["code"],
                "d": day.isoformat(),
                "t": "",
                "z": MARKETS[market].zone,
                "v": "Exchange closed",
            }
            for each in (year - 1, year, year + 1)
            for day in closed_days(market, year=each)
        ]
        return self._speech.success(json.dumps(closed), code=self._quirks.success_code)


def _symbol(stock: Stock) -> dict[str, str]:
    return {
        "c": stock.code,
        "n": stock.name,
        "t": "stock",
        "e": stock.exchange,
        "s": "Simulation",
        "l": f"{stock.market.lower()}-{stock.code.lower()}",
    }


def _parsed(query: str) -> dict[str, str]:
    given = parse_qs(query, keep_blank_values=True)
    twice = sorted(name for name, values in given.items() if len(values) > 1)
    if twice:
        raise BadParameter(f"given twice: {', '.join(twice)}")
    return {name: values[0] for name, values in given.items()}


def _only(
    given: Mapping[str, str], *, required: set[str], optional: set[str] | None = None
) -> None:
    missing = sorted(name for name in required if not given.get(name))
    if missing:
        raise BadParameter(f"missing: {', '.join(missing)}")
    unknown = sorted(given.keys() - required - (optional or set()))
    if unknown:
        raise BadParameter(f"unknown: {', '.join(unknown)}")


def _market(region: str) -> str:
    if region not in MARKETS:
        raise BadParameter("region is not known, or not in upper case")
    return region


def _asked(given: Mapping[str, str], account: Account, *, fault: str) -> _Bars:
    period = PERIOD_OF_KTYPE.get(given["kType"])
    if period is None:
        raise BadParameter("kType is not one for stocks")
    et = given.get("et")
    if et is not None and (not _is_number(et) or int(et) < _OLDEST_MS):
        raise BadParameter("et must be epoch milliseconds")
    limit = given.get("limit", _USUAL_LIMIT)
    if not _is_number(limit) or int(limit) < 1:
        raise BadParameter("limit must be a positive integer")
    depth = account.depth.get(period, 0)
    end = None if et is None else int(et)
    return _Bars(period, int(limit), end, depth, fault)


def _is_number(text: str) -> bool:
    # Fifteen digits of milliseconds reach beyond the year 9999 that datetime knows.
    return re.fullmatch("[0-9]{1,14}", text) is not None
