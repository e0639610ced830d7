"""股票列表从服务商那里来。"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from django.utils.translation import gettext as _

from common.csvfile import Refused as BadRow
from common.races import again_after_a_lost_race
from sync.engine.errors import NoToken, RateLimited, SyncError, TokenFault
from sync.engine.pacing import REST
from sync.engine.ports import Beat, Token
from sync.engine.token_pool import TokenPool
from sync.providers.itick import ItickClient, Listing
from tokens.models import ApiToken
from tokens.validation import allowed_hosts

from ..checks import check_market
from ..clock import SharedClock
from ..clock import now as shared_now
from ..errors import NoUsableToken, Refused
from ..processes import this_process
from ..tokens.ledger import TokenLedger
from ..tokens.serving import PROVIDER
from .rows import LONGEST_NAME, Entry, Listed, StockList, store

logger = logging.getLogger(__name__)

T = TypeVar("T")

ATTEMPTS = 4
BAD_CODE = "bad_row"


def sync_stocks(
    wanted: Sequence[str], *, now: Callable[[], datetime] = shared_now
) -> dict[str, Listed]:
    """从服务商取得这些市场的股票列表。

    A stock that is not in the provider's list any more is kept. Raises Refused.
    """
    for market in wanted:
        check_market(market)
    return {market: _sync_market(market, now=now) for market in wanted}


def _sync_market(market: str, *, now: Callable[[], datetime]) -> Listed:
    client = ItickClient(allowed_hosts=allowed_hosts())
    try:
        rows = _ask(lambda token: client.list_stocks(token, market), market, now=now)
    finally:
        client.close()
    stocks = _sound(market, rows)
    if not stocks.entries:
        message = _("The provider lists no stocks for %s; nothing was changed.")
        raise Refused(message % market)
    return again_after_a_lost_race(lambda: store(stocks))


def _sound(market: str, rows: Iterable[Listing]) -> StockList:
    """服务商的列表里能用的股票;别的数一数。"""
    entries: dict[str, Entry] = {}
    left_out: Counter[str] = Counter()
    repeated = 0
    for row in rows:
        if row.left_out:
            left_out[row.left_out] += 1
            continue
        try:
            entry = Entry.read(market, row.code, row.name[:LONGEST_NAME], row.exchange)
        except BadRow as refused:
            left_out[BAD_CODE] += 1
            message = "A row of the list of %s was left out: %s"
            logger.warning(message, market, refused.reasons)
            continue
        repeated += entry.code in entries
        entries.setdefault(entry.code, entry)
    return StockList([*entries.values()], repeated=repeated, left_out=dict(left_out))


def _ask(call: Callable[[Token], T], market: str, *, now: Callable[[], datetime]) -> T:
    """用一个接一个的 Token 问,直到有回答;每个 Token 最多问一次。"""
    problem: Exception | None = None
    at = now()
    ledger = TokenLedger(owner=f"stock list {this_process()}"[:100], now=now)
    for row in ApiToken.objects.available(PROVIDER, at=at, market=market)[:ATTEMPTS]:
        try:
            leased = ledger.lease([row])
        except NoUsableToken as error:
            problem = error  # nobody can read it, but perhaps the next
            continue
        pool = TokenPool(leased, ledger=ledger, clock=SharedClock())
        try:
            return _ask_once(call, pool)
        except TokenFault as error:
            ledger.out(pool.limiters[0].token, error, market=market)
            problem = error
        except RateLimited as error:
            seconds = REST if error.retry_after is None else error.retry_after
            ledger.rest(pool.limiters[0].token, seconds=seconds, text=str(error))
            problem = error
        except SyncError as error:
            problem = error
        finally:
            pool.release()
    if problem:
        message = _("The list of %(market)s could not be had: %(problem)s")
        raise Refused(message % {"market": market, "problem": problem}) from problem
    why = ApiToken.objects.why_none_available(PROVIDER, at=at, markets=[market])
    raise NoUsableToken(why or _("all were taken at this moment, try again"))


def _ask_once(call: Callable[[Token], T], pool: TokenPool) -> T:
    clock = SharedClock()
    pool.leased(Beat(60.0, frozenset(limiter.token.id for limiter in pool.limiters)))
    pool.top_up()
    for limiter in pool.limiters:
        if limiter.ready_in(clock.now()) > 0:
            raise RateLimited(
                f"{limiter.token.label} has made its calls of this minute"
            )
        limiter.begin()
        try:
            return call(limiter.token)
        finally:
            limiter.end(clock.now())
    raise NoToken("the token was taken by somebody else")
