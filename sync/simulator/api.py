"""iTick 的接口:参数进,回答出;不碰网络。"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from .accounts import Account, Admission, Verdict
from .actions import Split
from .answers import Answer, Speech
from .asking import BadParameter, Given, market_of, number, only, parsed
from .book import Book
from .faults import NO_FAULTS, Faults, instead, on_the_way, tampered
from .hours import Hours
from .lists import Lists, is_fund
from .quirks import Quirks
from .quotes import Quotes
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
_OLDEST_MS = 100_000_000_000  # below it, somebody counts in seconds
_USUAL_LIMIT = 100
_KEYS: dict[str, Callable[[str], str]] = {
    "as_asked": str,
    "lower": str.lower,
    "upper": str.upper,
    "padded": lambda code: code.zfill(5) if code.isdigit() else code,
}
_GAPS = {"null": "null", "empty": "[]"}


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
        self,
        book: Book,
        *,
        quirks: Quirks,
        now: Callable[[], datetime],
        splits: Callable[[], tuple[Split, ...]],
    ) -> None:
        self.faults: Faults = NO_FAULTS
        self._book = book
        self._quirks = quirks
        self._speech = Speech(quirks)
        self._numbers = itertools.count()
        lists = Lists(book.listing, quirks=quirks, now=now, splits=splits)
        hours, quotes = Hours(quirks, now=now), Quotes(book, now=now)
        # What one region's stocks are asked for; the plan may lack the region.
        self._of_region = {
            "/symbol/list": lists.symbols,
            "/stock/split": lists.splits,
            "/stock/ipo": lists.ipos,
            "/stock/info": quotes.info,
            "/stock/quote": quotes.quote,
            "/stock/quotes": quotes.quotes,
            "/stock/tick": quotes.tick,
            "/stock/ticks": quotes.ticks,
            "/stock/depth": quotes.depth,
            "/stock/depths": quotes.depths,
        }
        self._of_anywhere = {
            "/symbol/v2/holidays": hours.holidays,
            "/symbol/holidays": hours.old_holidays,
            "/market/status": hours.status,
        }
        self._bars_of = {"/stock/kline": self._kline, "/stock/klines": self._klines}

    def knows(self, path: str) -> bool:
        """有没有这个接口。"""
        known = (self._bars_of, self._of_region, self._of_anywhere)
        return any(path in routes for routes in known)

    def answer(self, path: str, query: str, *, admission: Admission) -> Answer:
        """回答一次调用;`path` 必须是认识的接口。"""
        account = admission.account
        if admission.verdict is Verdict.REJECTED or account is None:
            return self._speech.bad_key(account.refusal if account else None)
        if admission.verdict is Verdict.REFUSED:
            return self._speech.rate_limited(retry_after=admission.retry_after)
        fault = ""
        if self.faults is not NO_FAULTS:
            fault = self.faults.pick(number=next(self._numbers))
        single = not path.endswith("s")
        bad = instead(fault, speech=self._speech, single=single)
        if bad is not None:
            return bad
        try:
            sound = self._answered(path, parsed(query), account, fault)
        except BadParameter as error:
            return self._speech.bad_parameter(str(error))
        return on_the_way(fault, answer=sound)

    def _answered(
        self, path: str, given: Given, account: Account, fault: str
    ) -> Answer:
        code = self._quirks.success_code if path.startswith("/symbol/") else 0
        if path in self._of_anywhere:
            text = self._of_anywhere[path](given)
            return self._speech.success(text, code=code)
        market = market_of(given.get("region", ""))
        if account.markets is not None and market not in account.markets:
            return self._speech.not_subscribed(account.markets)
        if path in self._bars_of:
            return self._bars_of[path](market, given, account, fault)
        return self._speech.success(self._of_region[path](market, given), code=code)

    def _kline(self, market: str, given: Given, account: Account, fault: str) -> Answer:
        only(given, required={"region", "code", "kType"}, optional={"limit", "et"})
        ask = _asked(given, account, fault=fault)
        stock = self._book.listing.find(market, given["code"])
        if is_fund(market, given["code"]):
            return self._speech.success("null")
        if stock is None or not stock.known:
            return self._speech.unknown_symbol()
        return self._speech.success(self._bars(stock, ask))

    def _klines(
        self, market: str, given: Given, account: Account, fault: str
    ) -> Answer:
        only(given, required={"region", "codes", "kType"}, optional={"limit", "et"})
        ask = _asked(given, account, fault=fault)
        codes = list(dict.fromkeys(given["codes"].split(",")))
        most = min(account.batch_size, self._quirks.batch_cap or account.batch_size)
        if len(codes) > most:
            return self._speech.batch_too_large()
        parts = (self._of_batch(market, code, ask) for code in codes)
        return self._speech.success(f"{{{','.join(filter(None, parts))}}}")

    def _of_batch(self, market: str, code: str, ask: _Bars) -> str:
        stock = self._book.listing.find(market, code)
        known = stock is not None and stock.known
        text = self._bars(stock, ask) if stock is not None and known else "[]"
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


def _asked(given: Given, account: Account, *, fault: str) -> _Bars:
    period = PERIOD_OF_KTYPE.get(given["kType"])
    if period is None:
        raise BadParameter("kType is not one for stocks")
    limit = number(given, "limit", usual=_USUAL_LIMIT, least=1)
    et = number(given, "et", usual=0, least=_OLDEST_MS) or None
    return _Bars(period, limit, et, account.depth.get(period, 0), fault)
