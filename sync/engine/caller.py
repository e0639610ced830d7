"""用手里的 Token 轮流请求。

This is the only place that decides what an error means for the token and the call:

    TokenFault     the token leaves the run, the call is made with another
    RateLimited    the token rests, the call is made with another
    Transient      a few attempts with backoff and jitter, then it is raised
    StockFault     raised at once

and what makes it end without an answer: NoToken where none is left, Cancelled after a
stop, ProviderDown when the breaker is open.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from threading import Event
from typing import TypeVar

from .breaker import Breaker
from .errors import (
    Cancelled,
    NoToken,
    ProviderDown,
    RateLimited,
    TokenFault,
    Transient,
)
from .pacing import REST, Meter
from .ports import Clock

T = TypeVar("T")

ATTEMPTS = 4
BACKOFF = 0.25  # seconds, doubled at each attempt
SHORTEST_REST = 1.0  # seconds, for a provider that says "retry after 0"
LONGEST_WAIT = 0.5  # seconds between two looks at whether to stop


@dataclass(frozen=True, slots=True)
class TokenOut:
    """一个 Token 出了问题,离开这次运行。"""

    meter: Meter
    error: TokenFault


@dataclass(frozen=True, slots=True)
class TokenRests:
    """一个 Token 被限流,休息若干秒。"""

    meter: Meter
    seconds: float
    text: str


class Caller:
    """轮流使用几个 Token,每个按自己的节奏。

    Used by one thread; `wake` may be set by another when there is a reason to look
    again. `report` is told what happens to the tokens.
    """

    def __init__(
        self,
        meters: Iterable[Meter],
        *,
        breaker: Breaker,
        report: Callable[[TokenOut | TokenRests], None],
        stop: Event,
        clock: Clock,
        dice: Random,
    ) -> None:
        self.meters = deque(meters)
        self.wake = Event()
        self._breaker = breaker
        self._report = report
        self._stop = stop
        self._clock = clock
        self._dice = dice

    @property
    def stopped(self) -> bool:
        """是不是该停了。"""
        return self._stop.is_set() or self._breaker.open

    @property
    def batch(self) -> int:
        """最先可以请求的 Token 一次能问几只股票;问的时候可能换成了别的。"""
        return self._soonest()[1].batch if self.meters else 1

    def ask(self, call: Callable[[Meter], T]) -> T:
        """问到一个回答为止,按错误的种类换 Token、休息或重试。"""
        failures = 0
        while True:
            meter = self._next_meter()
            try:
                return self._counted(call, meter)
            except TokenFault as error:
                meter.retire(error)
                self._report(TokenOut(meter, error))
            except RateLimited as error:
                self._rest(meter, error)
            except Transient:
                failures += 1
                self._check()
                if failures == ATTEMPTS:
                    raise
                self._pause(BACKOFF * 2**failures)

    def _counted(self, call: Callable[[Meter], T], meter: Meter) -> T:
        meter.begin()
        failed = False
        try:
            return call(meter)
        except Transient:
            failed = True
            raise
        finally:
            meter.end(self._clock.now())
            if not self._stop.is_set():
                self._breaker.note(meter.token.id, failed=failed)

    def _rest(self, meter: Meter, error: RateLimited) -> None:
        asked = REST if error.retry_after is None else error.retry_after
        seconds = max(asked, SHORTEST_REST)
        meter.rest(self._clock.now() + seconds)
        self._report(TokenRests(meter, seconds, str(error)))

    def ready(self) -> Meter | None:
        """轮到的下一个可以请求的 Token;没有就等一会儿,返回 None。"""
        self.wake.clear()
        self._check()
        wait, meter = self._soonest()
        if wait <= 0:
            return meter
        self._clock.wait(self.wake, min(wait, LONGEST_WAIT))
        return None

    def _next_meter(self) -> Meter:
        while (meter := self.ready()) is None:
            pass
        self.meters.remove(meter)
        self.meters.append(meter)
        return meter

    def _soonest(self) -> tuple[float, Meter]:
        """轮到的第一个可以请求的 Token;都要等的话,等得最短的。"""
        now = self._clock.now()
        waits: list[tuple[float, Meter]] = []
        for meter in self.meters:
            waits.append((meter.ready_in(now), meter))
            if waits[-1][0] <= 0:
                return waits[-1]
        return min(waits, key=lambda each: each[0])

    def _check(self) -> None:
        if self._breaker.open:
            raise ProviderDown("the provider does not answer")
        if self._stop.is_set():
            raise Cancelled("the run was stopped")
        for meter in [meter for meter in self.meters if meter.out]:
            self.meters.remove(meter)
        if not self.meters:
            raise NoToken("Token不可用")

    def _pause(self, seconds: float) -> None:
        until = self._clock.now() + seconds * (0.5 + self._dice.random())
        while (left := until - self._clock.now()) > 0:
            self.wake.clear()
            self._check()
            self._clock.wait(self.wake, left)
