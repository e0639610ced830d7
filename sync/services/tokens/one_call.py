"""借一个 Token 问一次:租用、预订、轮到它、记账、归还。

For whatever needs one call outside a run: a list of stocks, a token's check. The call
counts against the token's limits like any other, and a token is marked by what the
provider said of it only, never for having to wait its turn.
"""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import TypeVar
from uuid import uuid4

from common.hosts import HostRefused
from sync.engine.errors import RateLimited, TokenFault, Transient
from sync.engine.pacing import REST, RateLimiter
from sync.engine.ports import Beat, Token
from sync.engine.token_pool import TokenPool
from tokens.models import ApiToken, TokenWish
from tokens.states import TokenState, state_of

from ..clock import SharedClock
from ..errors import NoUsableToken
from .ledger import TokenLedger

T = TypeVar("T")

LEASE = 60.0  # seconds
LONGEST_HOST = 60


class Why(StrEnum):
    """为什么借不到;没有问过服务商。"""

    MUST_WAIT = "must_wait"
    AT_LIMIT = "at_limit"
    HELD = "held"
    NOT_IN_FORCE = "not_in_force"
    UNREADABLE = "unreadable"
    ADDRESS_REFUSED = "address_refused"


class NotLent(Exception):
    """借不到这个 Token。

    `text` is the holder's name, the token's state or what to mend; `seconds` is how
    long it has to wait, 0 where that is not known.
    """

    def __init__(self, why: Why, text: str = "", *, seconds: int = 0) -> None:
        super().__init__(why)
        self.why = why
        self.text = text
        self.seconds = seconds


class Call:
    """借到的一次请求。"""

    def __init__(self, limiter: RateLimiter, ledger: TokenLedger, market: str) -> None:
        self._limiter = limiter
        self._ledger = ledger
        self._market = market

    def __call__(self, ask: Callable[[Token], T]) -> T:
        """用它问一次;服务商对 Token 的判断记下来,错误照样抛出。"""
        self._limiter.begin()
        try:
            return ask(self._limiter.token)
        except TokenFault as error:
            self._limiter.failed()
            self._ledger.out(self._limiter.token, error, market=self._market)
            raise
        except Transient:
            self._limiter.failed()
            raise
        except RateLimited as error:
            self._limiter.failed()
            rest = seconds_of_rest(error)
            self._ledger.rest(self._limiter.token, seconds=rest, text=str(error))
            raise
        finally:
            self._limiter.end(SharedClock().now())


@contextmanager
def borrowed(
    row: ApiToken, *, purpose: str, market: str, now: Callable[[], datetime]
) -> Iterator[Call]:
    """借这个 Token 问一次这个市场;用完归还,没有问也归还。

    Raises NotLent where it cannot be had or its turn has not come: then nothing is
    marked and no call is counted.
    """
    ledger = TokenLedger(owner=_owner(purpose), now=now)
    try:
        leased = ledger.lease([row])
    except NoUsableToken as error:
        refused = isinstance(error.__cause__, HostRefused)
        if refused:
            raise NotLent(Why.ADDRESS_REFUSED, error.why) from None
        raise NotLent(Why.UNREADABLE) from None
    if not leased:
        raise _why_not(row, at=now())
    pool = TokenPool(leased, ledger=ledger, clock=SharedClock())
    try:
        pool.renew(Beat(LEASE, frozenset({row.pk})))
        pool.top_up()
        yield Call(_in_turn(pool.limiters[0]), ledger, market)
    finally:
        pool.release()


@contextmanager
def wishing(
    purpose: str, *, market: str, now: Callable[[], datetime]
) -> Iterator[Callable[[], None]]:
    """等一个 Token 的时候,让拿着的人知道;每次调用都再说一遍,最后收回。"""
    owner, since = _owner(purpose), now()

    def wish() -> None:
        TokenWish.objects.post(
            owner, market=market, wanted=1, calls=0, since=since, at=now()
        )

    try:
        yield wish
    finally:
        TokenWish.objects.withdraw(owner)


def seconds_of_rest(error: RateLimited) -> float:
    """被限流以后要休息多少秒。"""
    return REST if error.retry_after is None else error.retry_after


def _in_turn(limiter: RateLimiter) -> RateLimiter:
    if limiter.out:
        raise NotLent(Why.AT_LIMIT)
    waits = limiter.ready_in(SharedClock().now())
    if waits > 0:
        seconds = 0 if math.isinf(waits) else math.ceil(waits)
        raise NotLent(Why.MUST_WAIT, seconds=seconds)
    return limiter


def _why_not(row: ApiToken, *, at: datetime) -> NotLent:
    row.refresh_from_db()
    state = state_of(row, at=at)
    if state == TokenState.HELD:
        return NotLent(Why.HELD, row.leased_by)
    if state == TokenState.AT_LIMIT:
        return NotLent(Why.AT_LIMIT)
    if state in {TokenState.RESTING, TokenState.ENABLED}:
        return NotLent(Why.MUST_WAIT)  # it was held a moment ago
    return NotLent(Why.NOT_IN_FORCE, str(state.label))


def _owner(purpose: str) -> str:
    """占用者的名字,每次都是新的:同一个进程里可能有两个人同时借。"""
    host = socket.gethostname()[:LONGEST_HOST]
    return f"{purpose} {host}:{os.getpid()}:{uuid4().hex[:8]}"
