"""一条通道的试验台:一个线程,按剧本回答。"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from random import Random
from threading import Event

from sync.engine.breaker import Breaker
from sync.engine.depth import UNKNOWN, Depth, Depths
from sync.engine.errors import (
    ProviderError,
    TimedOut,
    Unreachable,
)
from sync.engine.lanes import Lane
from sync.engine.messages import LaneEnded, Message
from sync.engine.pacing import RateLimiter
from sync.engine.periods import PERIODS
from sync.engine.plan import Tuning
from sync.engine.ports import BadBar, Failure, Page, PageRequest, Part, Task, Token
from sync.engine.queues import LaneQueues

from .exchange import Exchange, daily, page, weekdays
from .fakes import FakeClient, FakeClock, task, token

TRANSIENT = [
    Unreachable("reset"),
    TimedOut("slow"),
    ProviderError("503"),
    ProviderError("html"),
]
DAYS = weekdays(date(2024, 5, 1), date(2024, 6, 28))
GOOD = page(daily(weekdays(date(2024, 5, 31), date(2024, 6, 14))))
# Has shown more of another stock than any test has.
DEEP = Depth(reach=date(2000, 1, 3), bars=1_000_000)
EMPTY = Page((), None)
BAD = Page(GOOD.klines[:-1], GOOD.oldest_ms, [BadBar("no close")])


Step = Page | Exception | Callable[[], Page] | dict[str, Page]


class Bench:
    """One lane on one thread; the script's answers come one by one."""

    def __init__(
        self,
        *script: Step,
        tokens: int = 3,
        batch: int | tuple[int, ...] = 1,
        depth: Depth = UNKNOWN,
    ) -> None:
        self.script = list(script)
        self.asked: list[tuple[int, PageRequest]] = []
        self.shared: list[tuple[int, list[str]]] = []
        self.messages: list[Message] = []
        self.clock = FakeClock()
        self.stop = Event()
        self.queues = LaneQueues(1, size=100)
        self.breaker = Breaker(tokens, window=Tuning().breaker_window)
        self.client = FakeClient(self.answer, self.answer_many)
        sizes = batch if isinstance(batch, tuple) else (batch,) * tokens
        self.limiters = [
            RateLimiter(token(n, batch_size=size), now=0.0)
            for n, size in enumerate(sizes, 1)
        ]
        for limiter in self.limiters:
            limiter.lease(float("inf"))
            limiter.grant(1000, until=float("inf"))
        known = {n: dict.fromkeys(PERIODS, depth) for n in range(1, tokens + 1)}
        self.depths = Depths(known, at=self.clock.epoch())
        self.lane = Lane(
            0,
            self.limiters,
            connect=lambda: self.client,
            queues=self.queues,
            breaker=self.breaker,
            report=self.messages.append,
            stop=self.stop,
            clock=self.clock,
            dice=Random(1),
            tuning=Tuning(),
            depths=self.depths,
        )

    def answer(self, token: Token, request: PageRequest) -> Page:
        self.asked.append((token.id, request))
        given = self.script.pop(0)
        if isinstance(given, Exception):
            raise given
        if callable(given):
            return given()
        assert isinstance(given, Page)
        return given

    def answer_many(
        self, token: Token, requests: Sequence[PageRequest]
    ) -> Mapping[str, Page]:
        self.shared.append((token.id, [request.code for request in requests]))
        given = self.script.pop(0)
        if isinstance(given, Exception):
            raise given
        assert isinstance(given, dict)
        return given

    def run(self, *tasks: Task) -> list[Message]:
        for each in tasks or (task(),):
            self.queues.deal(each)
        self.queues.close()
        self.lane.run()
        assert isinstance(self.messages[-1], LaneEnded)
        return self.messages[:-1]

    @property
    def ended(self) -> LaneEnded:
        last = self.messages[-1]
        assert isinstance(last, LaneEnded)
        return last

    @property
    def tokens_asked(self) -> list[int]:
        return [number for number, _ in self.asked]

    @property
    def waited(self) -> float:
        return self.clock.now()


def served_by(bench: Bench, exchange: Exchange) -> Bench:
    """让服务商回答,代替剧本。"""

    def answer(token: Token, request: PageRequest) -> Page:
        bench.asked.append((token.id, request))
        return exchange.fetch(request)

    bench.client = bench.lane.client = FakeClient(answer)
    return bench


def only_part(messages: list[Message]) -> Part:
    [part] = [message for message in messages if isinstance(message, Part)]
    return part


def only_failure(messages: list[Message]) -> Failure:
    [failure] = messages
    assert isinstance(failure, Failure)
    return failure
