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
from typing import Any, Generic, TypeVar

from .breaker import Breaker
from .errors import (
    Cancelled,
    NoToken,
    ProviderDown,
    RateLimited,
    SyncError,
    TokenFault,
    Transient,
)
from .pacing import REST, Meter
from .ports import Clock, Reply

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


@dataclass(frozen=True, slots=True)
class Sent(Generic[T]):
    """发出的请求:它的回答,和怎么读懂;`read` 抛出 `errors` 里的叶子。"""

    reply: Reply
    read: Callable[[], T]


class Asked(Generic[T]):
    """用一个 Token 问了的问题;回答只读一次。"""

    def __init__(self, meter: Meter, sent: Sent[T], *, clock: Clock) -> None:
        self.meter = meter
        self._sent = sent
        self._clock = clock
        self._over = False
        self._read: list[T] = []
        self._error: SyncError | None = None

    @property
    def settled(self) -> bool:
        """回答是不是已经读懂了。"""
        return bool(self._read or self._error)

    def wait(self) -> None:
        """等到回答读完,或者失败;请求到此结束。"""
        if not self._over:
            self._over = True
            self._sent.reply.wait()
            self.meter.end(self._clock.now())

    def settle(self) -> SyncError | None:
        """读懂回答,返回出了什么错。"""
        self.wait()
        try:
            self._read.append(self._sent.read())
        except SyncError as error:
            self._error = error
        return self._error

    def result(self) -> T:
        """读懂了的回答;抛出 `errors` 里的叶子。"""
        if self._error:
            raise self._error
        return self._read[0]


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
        self._under_way: Asked[Any] | None = None

    @property
    def stopped(self) -> bool:
        """是不是该停了。"""
        return self._stop.is_set() or self._breaker.open

    @property
    def batch(self) -> int:
        """最先可以请求的 Token 一次能问几只股票;问的时候可能换成了别的。"""
        return self._soonest()[1].batch if self.meters else 1

    def ask(self, send: Callable[[Meter], Sent[T]], asked: Asked[T] | None = None) -> T:
        """问到一个回答为止,按错误的种类换 Token、休息或重试。

        `asked` is the first time, which has been sent already.
        """
        failures = 0
        while True:
            asked = asked or self.send(send, self._next_meter())
            self._judge(asked)
            try:
                return asked.result()
            except (TokenFault, RateLimited):
                pass
            except Transient:
                failures += 1
                self._check()
                if failures == ATTEMPTS:
                    raise
                self._pause(BACKOFF * 2**failures)
            finally:
                # Who is asked for a second opinion is another.
                self._to_the_end(asked.meter)
            asked = None

    def send(self, send: Callable[[Meter], Sent[T]], meter: Meter) -> Asked[T]:
        """用这个 Token 发出去,不等回答;下一次轮到别的 Token。"""
        self._finish()
        self._to_the_end(meter)
        meter.begin()
        asked = Asked(meter, send(meter), clock=self._clock)
        self._under_way = asked
        return asked

    def _finish(self) -> None:
        """还在路上的回答先读懂:再发一个、等别的什么以前。

        It may say that its token is out or has to rest, and must not be asked again.
        """
        if self._under_way:
            self._judge(self._under_way)

    def receive(self, asked: Asked[Any]) -> None:
        """等到回答读完;读懂它是拿着它的人的事。"""
        asked.wait()
        if asked is self._under_way:
            self._under_way = None

    def abandon(self) -> None:
        """不再要还在路上的回答。"""
        if self._under_way:
            self._under_way.wait()

    def _judge(self, asked: Asked[Any]) -> None:
        """读懂回答;该怪 Token 的,记在它头上。一个回答只判一次。"""
        if asked is self._under_way:
            self._under_way = None
        if asked.settled:
            return
        meter, error = asked.meter, asked.settle()
        if isinstance(error, TokenFault):
            meter.retire(error)
            self._report(TokenOut(meter, error))
        elif isinstance(error, RateLimited):
            self._rest(meter, error)
        if not self._stop.is_set():
            self._breaker.note(meter.token.id, failed=isinstance(error, Transient))

    def _to_the_end(self, meter: Meter) -> None:
        if meter in self.meters:
            self.meters.remove(meter)
            self.meters.append(meter)

    def _rest(self, meter: Meter, error: RateLimited) -> None:
        asked = REST if error.retry_after is None else error.retry_after
        seconds = max(asked, SHORTEST_REST)
        meter.rest(self._clock.now() + seconds)
        self._report(TokenRests(meter, seconds, str(error)))

    def ready(self) -> Meter | None:
        """轮到的下一个可以请求的 Token;没有就等一会儿,返回 None。"""
        self._finish()
        self.wake.clear()
        self._check()
        wait, meter = self._soonest()
        if wait <= 0:
            return meter
        self._clock.wait(self.wake, min(wait, LONGEST_WAIT))
        return None

    def spare(self, besides: Meter) -> Meter | None:
        """现在就可以请求的另一个 Token;不等。"""
        if self.stopped:
            return None
        now = self._clock.now()
        for meter in self.meters:
            if meter is not besides and not meter.out and meter.ready_in(now) <= 0:
                return meter
        return None

    def _next_meter(self) -> Meter:
        while (meter := self.ready()) is None:
            pass
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
        self._finish()
        until = self._clock.now() + seconds * (0.5 + self._dice.random())
        while (left := until - self._clock.now()) > 0:
            self.wake.clear()
            self._check()
            self._clock.wait(self.wake, left)
