"""用一条通道的 Token 轮流请求,直到有回答或者不该再问为止。

What an error means for the token and for the call is decided by `verdict_on` and
nowhere else; what it means for the stock is decided in `lanes.py`. A call that ends
without an answer and without an error of its own ends with NoToken where no token is
left, Cancelled after a stop, ProviderDown when the breaker is open.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from random import Random
from threading import Event
from typing import TypeVar

from .breaker import Breaker
from .errors import (
    Cancelled,
    NoToken,
    ProviderDown,
    RateLimited,
    RestsLong,
    SyncError,
    TokenFault,
    Transient,
)
from .messages import BatchTooLarge, TokenOut, TokenRests
from .pacing import REST, RateLimiter
from .plan import Tuning
from .ports import Clock

T = TypeVar("T")

ATTEMPTS = 4
LONGEST_WAIT = 0.5  # seconds between two looks at whether to stop
# What ends a lane and fails no stock.
LANE_ENDINGS = (NoToken, Cancelled, ProviderDown)


class Next(Enum):
    """这次请求接下来怎么办。"""

    OTHER_TOKEN = auto()  # at once, with another token
    TRY_AGAIN = auto()  # after a pause, at most ATTEMPTS times in all
    GIVE_UP = auto()  # the error is the answer


@dataclass(frozen=True, slots=True)
class Verdict:
    """一个错误意味着什么:请求怎么办,Token 要不要离开或者休息,算不算服务商不可用。

    `rests` is how many seconds the token should rest; None where it need not.
    """

    next: Next
    token_out: bool = False
    rests: float | None = None
    provider_failed: bool = False


def verdict_on(error: SyncError) -> Verdict:
    """判断一个错误意味着什么。"""
    if isinstance(error, TokenFault):
        return Verdict(Next.OTHER_TOKEN, token_out=True)
    if isinstance(error, RateLimited):
        asked = error.retry_after
        return Verdict(Next.OTHER_TOKEN, rests=REST if asked is None else asked)
    if isinstance(error, Transient):
        return Verdict(Next.TRY_AGAIN, provider_failed=True)
    return Verdict(Next.GIVE_UP)


class NoneOfThem(Exception):
    """指定的 Token 都不在这条通道里了。"""


class Caller:
    """轮流使用几个 Token 的请求者,每个 Token 按自己的节奏。

    Used by one thread; `wake` may be set by another when there is a reason to look
    again. `report` is told what happens to the tokens.
    """

    def __init__(
        self,
        limiters: Iterable[RateLimiter],
        *,
        breaker: Breaker,
        report: Callable[[TokenOut | TokenRests | BatchTooLarge], None],
        stop: Event,
        clock: Clock,
        dice: Random,
        tuning: Tuning,
    ) -> None:
        self.limiters = deque(limiters)
        self.wake = Event()
        # The last deal that has not been looked at; appended by another thread.
        self._deals: deque[tuple[RateLimiter, ...]] = deque(maxlen=1)
        self._lent = False
        self._breaker = breaker
        self._report = report
        self._stop = stop
        self._clock = clock
        self._dice = dice
        self._tuning = tuning

    @property
    def batch(self) -> int:
        """最先可以请求的 Token 一次能问几只股票;问的时候可能换成了别的。"""
        limiter = self._soonest()[1]
        return limiter.batch if limiter else 1

    def deal(self, limiters: Iterable[RateLimiter]) -> None:
        """换成这些 Token;由协调者的线程调用,下一次看的时候生效。

        None at all means that they are lent to others: what is under way waits until
        some come back, and nothing of it is lost.
        """
        self._deals.append(tuple(limiters))
        self.wake.set()

    def ready(self, among: Collection[int] | None = None) -> RateLimiter | None:
        """返回轮到的下一个可以请求的 Token;没有就等一会儿,返回 None。

        With `among`: of these only; raises NoneOfThem where they are gone.
        """
        self.wake.clear()
        self._check()
        wait, limiter = self._soonest(among)
        if wait <= 0:
            return limiter
        self._clock.wait(self.wake, min(wait, LONGEST_WAIT))
        return None

    def ask(
        self, call: Callable[[RateLimiter], T], *, among: Collection[int] | None = None
    ) -> T:
        """问到一个回答为止,按错误的种类换 Token、休息或重试。

        Raises the error that gives the call up, the one of the last attempt, or what
        the module's first lines name; with `among` only these tokens are asked, and
        NoneOfThem is raised where none of them is left here.
        """
        failures = 0
        while True:
            limiter = self._next_limiter(among)
            try:
                return self._called(call, limiter)
            except SyncError as error:
                verdict = verdict_on(error)
                self._note(limiter, error, verdict)
                failures += verdict.next is Next.TRY_AGAIN
                if verdict.next is Next.GIVE_UP:
                    raise
                # Before the last attempt's error: a stop is no fault of the stock.
                self._check()
                if failures == ATTEMPTS:
                    raise
            if verdict.next is Next.TRY_AGAIN:
                self._pause(self._tuning.backoff * 2**failures)

    def _called(self, call: Callable[[RateLimiter], T], limiter: RateLimiter) -> T:
        try:
            answer = call(limiter)
        finally:
            limiter.end(self._clock.now())
        self._tell_breaker(limiter, failed=False)
        if asked := limiter.answered():
            token, batch = limiter.token, limiter.batch
            self._report(BatchTooLarge(token, asked, batch, empty=False))
        return answer

    def _note(self, limiter: RateLimiter, error: SyncError, verdict: Verdict) -> None:
        # A call that a stop has cut says nothing about the token.
        if verdict.next is not Next.GIVE_UP and not self._stop.is_set():
            limiter.failed()
        if verdict.token_out and isinstance(error, TokenFault):
            limiter.retire(error)
            self._report(TokenOut(limiter, error))
        if verdict.rests is not None:
            self._rest(limiter, verdict.rests, text=str(error))
        self._tell_breaker(limiter, failed=verdict.provider_failed)

    def _rest(self, limiter: RateLimiter, asked: float, *, text: str) -> None:
        """让 Token 休息;要休息很久的离开这次运行,免得没有尽头地等它。"""
        tuning = self._tuning
        seconds = limiter.refused(max(asked, tuning.shortest_rest), text=text)
        if seconds > tuning.longest_rest:
            limiter.retire(RestsLong(f"{limiter.token.label} has to rest: {text}"))
            if limiter.refused_in_a_row:
                seconds = max(seconds, tuning.long_rest)
        limiter.rest(self._clock.now() + seconds)
        self._report(TokenRests(limiter, seconds, text))

    def _tell_breaker(self, limiter: RateLimiter, *, failed: bool) -> None:
        # A call that a stop has cut says nothing about the provider.
        if not self._stop.is_set():
            self._breaker.note(limiter.token.id, failed=failed)

    def _next_limiter(self, among: Collection[int] | None) -> RateLimiter:
        limiter = self.ready(among)
        while limiter is None or not limiter.begin_if_ready(self._clock.now()):
            limiter = self.ready(among)
        # To the back: tokens take turns, and a second opinion comes from another one.
        self.limiters.remove(limiter)
        self.limiters.append(limiter)
        return limiter

    def _soonest(
        self, among: Collection[int] | None = None
    ) -> tuple[float, RateLimiter | None]:
        """找出轮到的第一个可以请求的 Token;都要等的话,找等得最短的。"""
        if not self.limiters:
            return LONGEST_WAIT, None  # all are lent
        now = self._clock.now()
        waits: list[tuple[float, RateLimiter | None]] = []
        for limiter in self.limiters:
            if among is not None and limiter.token.id not in among:
                continue
            waits.append((limiter.ready_in(now), limiter))
            if waits[-1][0] <= 0:
                return waits[-1]
        if not waits:
            raise NoneOfThem
        return min(waits, key=lambda each: each[0])

    def _check(self) -> None:
        if self._breaker.open:
            raise ProviderDown("the provider does not answer")
        if self._stop.is_set():
            raise Cancelled("the run was stopped")
        self._drop_gone()
        # After the look, for a deal comes before the tokens it leaves out are gone: who
        # sees them gone finds it.
        self._take_deal()
        if not self.limiters and not self._lent:
            raise NoToken("Token不可用")

    def _take_deal(self) -> None:
        with suppress(IndexError):
            dealt = self._deals.pop()
            self._lent, self.limiters = not dealt, deque(dealt)
            self._drop_gone()

    def _drop_gone(self) -> None:
        for limiter in [limiter for limiter in self.limiters if limiter.out]:
            self.limiters.remove(limiter)

    def _pause(self, seconds: float) -> None:
        until = self._clock.now() + seconds * (0.5 + self._dice.random())
        while (left := until - self._clock.now()) > 0:
            # Cleared before the look: what is set after it ends the wait at once.
            self.wake.clear()
            self._check()
            self._clock.wait(self.wake, left)
