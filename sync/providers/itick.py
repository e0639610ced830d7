"""iTick 的客户端:问 K 线、股票列表和休市日。"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from threading import Lock
from typing import Any

from common.hosts import HostRefused, permitted_host
from sync.engine.errors import AddressRefused, BadAnswer, TokenRejected
from sync.engine.markets import MARKETS
from sync.engine.ports import Page, PageRequest, Secret, Token

from . import pages
from .answers import data_of
from .hours import Holiday, MarketStatus, read_holidays, read_status
from .http import Answer, Channel, Deadline
from .splits import SplitPage, read_splits

log = logging.getLogger(__name__)

# iTick's numbers for our periods; 6 and 7 are for crypto only.
K_TYPES = {
    "1m": 1,
    "5m": 2,
    "15m": 3,
    "30m": 4,
    "60m": 5,
    "day": 8,
    "week": 9,
    "month": 10,
}
# Hours are told by country where two of our markets share one.
_COUNTRIES = {"SH": "CN", "SZ": "CN"}
SPLITS_PAGE = 100  # by default it is twenty
_SUSPENDED = "1"  # of a quote's `ts`
# Names under which an exchange may appear in the list of another market.
_EXCHANGES = {code: code for code in MARKETS} | {
    "SSE": "SH",
    "XSHG": "SH",
    "SZSE": "SZ",
    "XSHE": "SZ",
    "HKEX": "HK",
    "SEHK": "HK",
    "XHKG": "HK",
    "NASDAQ": "US",
    "XNAS": "US",
    "NYSE": "US",
    "XNYS": "US",
    "AMEX": "US",
    "NSE": "IN",
    "BSE": "IN",
    "TWSE": "TW",
    "SGX": "SG",
    "LSE": "GB",
    "ASX": "AU",
}
# What else the provider keeps in its lists; it has no K-lines for them as for stocks.
_NO_STOCKS = {"fund", "etf", "index", "indices", "crypto", "forex", "future", "futures"}
ELSEWHERE, NO_STOCK, NO_CODE = "other_exchange", "not_a_stock", "no_code"


# Lanes make bars of their answers one at a time. They have but one interpreter: each
# more that wants it at the same moment keeps it longer from the coordinator, for whose
# statements the database waits.
_ONE_BY_ONE = Lock()


@dataclass(frozen=True, slots=True)
class Listing:
    """股票列表里的一行。

    `left_out`: why it is no stock of the market that was asked for, or empty.
    """

    code: str
    name: str
    exchange: str
    left_out: str = ""


class ItickClient:
    """一条到 iTick 的通道。

    One per lane and used by that lane's thread only, but for `abort`, which any thread
    may call and which is final. Times are in seconds: `deadline` bounds a whole call,
    `read_timeout` each wait for more bytes; `max_bytes` bounds the unpacked answer.
    Every method that asks raises leaves of the error tree and nothing else.
    """

    def __init__(
        self,
        *,
        allowed_hosts: Collection[str],
        connect_timeout: float = 5.0,
        read_timeout: float = 20.0,
        deadline: float = 30.0,
        max_bytes: int = 8_000_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowed_hosts = frozenset(allowed_hosts)
        self._clock = clock
        self._permitted: set[Token] = set()
        limits = Deadline(
            whole=deadline, connect=connect_timeout, read=read_timeout, clock=clock
        )
        self._channel = Channel(limits, max_bytes=max_bytes)

    def fetch(self, token: Token, request: PageRequest) -> Page:
        """用一次请求取一只股票的一页 K 线。

        An empty page means that the provider sent nothing, not that there is nothing.
        """
        return self.fetch_many(token, [request])[request.code]

    def fetch_many(
        self, token: Token, requests: Sequence[PageRequest]
    ) -> dict[str, Page]:
        """用一次请求取几只股票的一页 K 线,按代码返回;除代码外,几个请求都一样。

        Of one its page, if an empty one. Of several only pages with bars, for a stock
        that is missing, null, empty or misshapen in the answer spoils no other; raises
        BadAnswer where pages came and none can be read.
        """
        started = self._clock()
        codes = ",".join(request.code for request in requests)
        where = {"code": codes} if len(requests) == 1 else {"codes": codes}
        path = "/stock/kline" if len(requests) == 1 else "/stock/klines"
        answer = self._get(token, path, **where, **_common(requests[0]))
        seconds = self._clock() - started
        with _ONE_BY_ONE:
            pages = {
                code: _masked(page, token.secret)
                for code, page in _pages(
                    data_of(answer, secret=token.secret), requests
                ).items()
            }
        for request in requests:
            if page := pages.get(request.code):
                _note(token, request, page, seconds=seconds)
        return pages

    def list_stocks(self, token: Token, market: str) -> list[Listing]:
        """列出一个市场的股票,按服务商的顺序。

        Every row is there, also those that are left out: without a code, of an exchange
        that is known to be another market's, funds. Raises BadAnswer where that is all
        of them.
        """
        data = self._ask(token, "/symbol/list", type="stock", region=market)
        rows = [_listing(row, market) for row in _objects(data)]
        if data and all(row.left_out for row in rows):
            raise BadAnswer(f"The list of {market} stocks holds no stock of {market}")
        return rows

    def holidays(self, token: Token, market: str) -> list[Holiday]:
        """列出一个市场的休市日和半天,旧的在前。"""
        code = _COUNTRIES.get(market, market)
        data = self._ask(token, "/symbol/v2/holidays", code=code)
        return read_holidays(_objects(data))

    def market_status(self, token: Token, market: str, *, today: date) -> MarketStatus:
        """问一个市场此刻开没开;`today` 是交易所当地的日期。"""
        code = _COUNTRIES.get(market, market)
        data = self._ask(token, "/market/status", code=code)
        return read_status(data, today=today)

    def suspended(self, token: Token, market: str, codes: Sequence[str]) -> set[str]:
        """问几只股票的报价,返回此刻停牌的;没有提到的不算。"""
        data = self._ask(token, "/stock/quotes", region=market, codes=",".join(codes))
        if not isinstance(data, dict):
            raise BadAnswer("The quotes are not keyed by their codes")
        quotes = pages.by_code(data, list(codes))
        return {code for code, quote in quotes.items() if _is_suspended(quote)}

    def splits(self, token: Token, market: str, *, page: int) -> SplitPage:
        """问一页拆股。"""
        data = self._ask(
            token, "/stock/split", region=market, page=page, size=SPLITS_PAGE
        )
        return read_splits(data, market)

    def abort(self) -> None:
        """打断正在进行的请求;此后的请求立刻失败。"""
        self._channel.abort()

    def close(self) -> None:
        """关闭连接。"""
        self._channel.close()

    def _ask(self, token: Token, path: str, **params: str | int) -> Any:
        return data_of(self._get(token, path, **params), secret=token.secret)

    def _get(self, token: Token, path: str, **params: str | int) -> Answer:
        if token not in self._permitted:
            self._check(token)
            self._permitted.add(token)
        url = token.base_url.rstrip("/") + path
        return self._channel.get(url, params, secret=token.secret)

    def _check(self, token: Token) -> None:
        try:
            permitted_host(token.base_url, allowed=self._allowed_hosts)
        except HostRefused as error:
            raise AddressRefused(str(error)) from None
        # Further down such a value would be refused with a text that quotes it.
        if not _sendable(token.secret):
            raise TokenRejected("The token holds characters that no header can carry")


def _common(request: PageRequest) -> dict[str, str | int]:
    return {
        "region": request.market,
        "kType": K_TYPES[request.period],
        "limit": request.limit,
        "et": request.end_ms,
    }


def _pages(data: Any, requests: Sequence[PageRequest]) -> dict[str, Page]:
    """每只股票有 K 线的一页;一只的坏数据与别的无关。"""
    if len(requests) == 1:
        return {requests[0].code: pages.build(data, request=requests[0])}
    if data and not isinstance(data, dict):
        # A bare list would pass for the bars of every one of the stocks.
        raise BadAnswer("The answer for several stocks is not keyed by their codes")
    found: dict[str, Page] = {}
    unsound: BadAnswer | None = None
    given = pages.by_code(data or {}, [request.code for request in requests])
    for request in requests:
        try:
            page = pages.build(given.get(request.code), request=request)
        except BadAnswer as error:
            unsound = error
            continue
        if page.oldest_ms is not None:
            found[request.code] = page
    if unsound and not found:
        raise unsound
    return found


def _sendable(secret: Secret) -> bool:
    value = secret.reveal()
    return bool(value) and value.isascii() and value.isprintable() and " " not in value


def _masked(page: Page, secret: Secret) -> Page:
    """服务商把 Token 混进数字里的,也不留下。"""
    if not page.bad:
        return page
    value = secret.reveal()
    bad = [bar._replace(values=bar.values.replace(value, "****")) for bar in page.bad]
    return replace(page, bad=tuple(bad))


def _note(token: Token, request: PageRequest, page: Page, *, seconds: float) -> None:
    stock = f"{request.market}:{request.code}"
    log.debug(
        "page.fetched stock=%s period=%s bars=%s ms=%.0f token=%s",
        stock,
        request.period,
        len(page.klines),
        seconds * 1000,
        token.label,
        extra={"event": "page.fetched", "stock": stock},
    )
    if page.bad:
        log.warning(
            "bars.left_out stock=%s period=%s count=%s first=%s",
            stock,
            request.period,
            len(page.bad),
            page.bad[0].text,
            extra={"event": "bars.left_out", "stock": stock},
        )
    if page.doubled:
        log.warning(
            "bars.doubled stock=%s period=%s count=%s",
            stock,
            request.period,
            page.doubled,
            extra={"event": "bars.doubled", "stock": stock},
        )


def _objects(data: Any) -> list[dict[str, Any]]:
    if data is None or data == {}:
        return []
    if not isinstance(data, list):
        raise BadAnswer("The answer's data is not a list")
    return [row for row in data if isinstance(row, dict)]


def _listing(row: dict[str, Any], market: str) -> Listing:
    code, exchange = _text(row, "c"), _text(row, "e").upper()
    why = ""
    if not code:
        why = NO_CODE
    elif _text(row, "t").lower() in _NO_STOCKS:
        why = NO_STOCK
    elif _EXCHANGES.get(exchange, market) != market:
        why = ELSEWHERE
    return Listing(code, _text(row, "n"), exchange, left_out=why)


def _is_suspended(quote: Any) -> bool:
    return isinstance(quote, dict) and str(quote.get("ts")) == _SUSPENDED


def _text(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str | int | Decimal) or isinstance(value, bool):
        return ""
    # JSON can spell half a character, which no database stores.
    whole = str(value).encode(errors="replace").decode()
    return " ".join(whole.split())
