"""试一个 Token:真的请求一次,守着节奏和当天的账。"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sync.engine.errors import (
    MarketNotAllowed,
    RateLimited,
    SyncError,
    TokenFault,
    UnknownSymbol,
    Unreachable,
)
from sync.engine.markets import MARKETS
from sync.engine.pacing import REST, RateLimiter
from sync.engine.ports import Beat, Page, PageRequest
from sync.engine.token_pool import TokenPool
from sync.models import Stock
from sync.providers.itick import ItickClient
from tokens.models import ApiToken
from tokens.states import TokenState, state_of
from tokens.validation import allowed_hosts

from ..checks import check_market
from ..clock import SharedClock
from ..clock import now as shared_now
from ..errors import NoUsableToken
from ..processes import this_process
from .ledger import TokenLedger

# A person waits for the answer.
DEADLINE = 15.0
LEASE = 60.0
# Asked for where the market has no stock of ours yet. A code that the provider does not
# know is as good: it says so only to a token that it takes.
USUAL_MARKET = "HK"
USUAL_CODES = {"HK": "700", "SH": "600519", "SZ": "000001", "US": "AAPL"}


class Outcome(StrEnum):
    """试出来的结果。"""

    WORKS = "works"
    GAVE_NOTHING = "gave_nothing"
    REFUSED = "refused"
    PLAN_LACKS_MARKET = "plan_lacks_market"
    RATE_LIMITED = "rate_limited"
    UNREACHABLE = "unreachable"
    ODD_ANSWER = "odd_answer"
    # From here on nobody was asked.
    MUST_WAIT = "must_wait"
    AT_LIMIT = "at_limit"
    HELD = "held"
    NOT_IN_FORCE = "not_in_force"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Checked:
    """一次试验。

    `text` is what the provider message, or the holder's name where the token is held;
    `seconds` is how long the token has to wait, where that is known.
    """

    outcome: Outcome
    market: str
    text: str = ""
    seconds: int = 0


def markets_to_check(token: ApiToken) -> list[str]:
    """可以拿来试的市场,先试的在前;没有限定就是全部,从 HK 开始。"""
    allowed = token.markets.split(",") if token.markets else list(MARKETS)
    known_ones = [market for market in allowed if market in MARKETS] or [USUAL_MARKET]
    lacking = token.excluded_markets.split(",")
    # Those that the plan lacks come last: it may have been extended.
    return sorted(known_ones, key=lacking.__contains__)


def check_token(
    token: ApiToken,
    *,
    market: str,
    now: Callable[[], datetime] = shared_now,
) -> Checked:
    """租用、预留、请求一次、归还,返回结果。

    What the provider says of the token counts as in a run: refused disables it, a
    market that the plan lacks is noted, a limited one rests. Raises Refused for a
    market that nobody knows.
    """
    check_market(market)
    ledger = TokenLedger(owner=f"token check {this_process()}"[:100], now=now)
    try:
        leased = ledger.lease([token])
    except NoUsableToken:
        return Checked(Outcome.UNREADABLE, market)
    if not leased:
        return _not_leased(token, market, at=now())
    pool = TokenPool(leased, ledger=ledger, clock=SharedClock())
    try:
        return _called(pool, ledger, market)
    finally:
        pool.release()


def _not_leased(token: ApiToken, market: str, *, at: datetime) -> Checked:
    token.refresh_from_db()
    state = state_of(token, at=at)
    if state == TokenState.HELD:
        return Checked(Outcome.HELD, market, token.leased_by)
    if state == TokenState.AT_LIMIT:
        return Checked(Outcome.AT_LIMIT, market)
    if state in {TokenState.RESTING, TokenState.ENABLED}:
        return Checked(Outcome.MUST_WAIT, market)  # it was held a moment ago
    return Checked(Outcome.NOT_IN_FORCE, market, str(state.label))


def _called(pool: TokenPool, ledger: TokenLedger, market: str) -> Checked:
    limiter, clock = pool.limiters[0], SharedClock()
    pool.leased(Beat(LEASE, frozenset({limiter.token.id})))
    pool.top_up()
    if limiter.out:
        return Checked(Outcome.AT_LIMIT, market)
    waits = limiter.ready_in(clock.now())
    if waits > 0:
        seconds = 0 if math.isinf(waits) else math.ceil(waits)
        return Checked(Outcome.MUST_WAIT, market, seconds=seconds)
    limiter.begin()
    try:
        page = _ask(limiter, market, at=clock.epoch())
    except SyncError as error:
        return _verdict(error, limiter, ledger, market)
    finally:
        limiter.end(clock.now())
    # Nothing at all of a stock that trades is what a plan without the market gives.
    empty = page.oldest_ms is None
    return Checked(Outcome.GAVE_NOTHING if empty else Outcome.WORKS, market)


def _ask(limiter: RateLimiter, market: str, *, at: float) -> Page:
    client = ItickClient(allowed_hosts=allowed_hosts(), deadline=DEADLINE)
    code = _code(market)
    try:
        request = PageRequest(market, code, "day", int(at * 1000), 2)
        return client.fetch(limiter.token, request)
    finally:
        client.close()


def _code(market: str) -> str:
    stocks = Stock.objects.active().filter(market=market).order_by("stock_code")
    first = stocks.values_list("stock_code", flat=True).first()
    return first or USUAL_CODES.get(market, "1")


def _verdict(
    error: SyncError, limiter: RateLimiter, ledger: TokenLedger, market: str
) -> Checked:
    text = str(error)
    if isinstance(error, UnknownSymbol):
        return Checked(Outcome.WORKS, market)  # it was the stock, the token was taken
    if isinstance(error, TokenFault):
        ledger.out(limiter.token, error, market=market)
        lacks = isinstance(error, MarketNotAllowed)
        outcome = Outcome.PLAN_LACKS_MARKET if lacks else Outcome.REFUSED
        return Checked(outcome, market, text)
    if isinstance(error, RateLimited):
        seconds = REST if error.retry_after is None else error.retry_after
        ledger.rest(limiter.token, seconds=seconds, text=text)
        return Checked(Outcome.RATE_LIMITED, market, text, math.ceil(seconds))
    unreachable = isinstance(error, Unreachable)
    outcome = Outcome.UNREACHABLE if unreachable else Outcome.ODD_ANSWER
    return Checked(outcome, market, text)
