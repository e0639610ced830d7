"""一次运行的布景:真的线程,没有延迟的替身。"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from random import Random
from threading import Event

from sync.engine.plan import Limits, Tuning
from sync.engine.ports import (
    LeasedToken,
    Page,
    PageRequest,
    Progress,
    Sharing,
    Task,
    Token,
)
from sync.engine.runner import Alone, Ports, Runner

from .exchange import Exchange, daily, weekdays
from .fakes import (
    Answer,
    Batch,
    FakeClient,
    FakeClock,
    MemoryLedger,
    MemoryStore,
    Watchdog,
    task,
    token,
)

EXCHANGE = Exchange(daily(weekdays(date(2024, 5, 1), date(2024, 6, 28))))
WINDOW = task().windows[0]


def honest(token: Token, request: PageRequest) -> Page:
    return EXCHANGE.fetch(request)


@dataclass
class Setting:
    """Everything around one runner."""

    answer: Answer = honest
    tokens: int = 12
    minute_limit: int = 0
    batch: Batch | None = None
    batch_size: int = 1
    limits: Limits = field(default_factory=lambda: Limits(tokens_per_thread=3))
    store: MemoryStore = field(default_factory=MemoryStore)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    clock: FakeClock = field(default_factory=FakeClock)
    stop: Event = field(default_factory=Event)
    watch: Callable[[Progress], None] = lambda _progress: None
    progress: Progress = field(default_factory=Progress)
    sharing: Sharing = field(default_factory=Alone)
    # The coordinator's pauses are real, so they are made short.
    tuning: Tuning = Tuning(tick=0.005, lanes_stop=0.1)  # noqa: RUF009 - frozen
    clients: list[FakeClient] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watchdog = Watchdog(self.answer, self.batch)
        self.runner = self.made()

    def token(self, number: int) -> Token:
        return token(number, minute_limit=self.minute_limit, batch_size=self.batch_size)

    def made(self) -> Runner:
        leased = [LeasedToken(self.token(n)) for n in range(1, self.tokens + 1)]
        ports = Ports(
            store=self.store,
            ledger=self.ledger,
            clock=self.clock,
            connect=self.connect,
            stop=self.stop,
            watch=self.watch,
            sharing=self.sharing,
            dice=Random(1),
        )
        return Runner(
            "HK",
            leased,
            ports=ports,
            limits=self.limits,
            progress=self.progress,
            tuning=self.tuning,
        )

    def connect(self) -> FakeClient:
        self.clients.append(FakeClient(self.watchdog, self.watchdog.batch))
        return self.clients[-1]

    def run(self, tasks: Iterable[Task]) -> None:
        self.runner.run(tasks)
        self.check()

    def check(self) -> None:
        """What holds after every run, however it went."""
        assert sorted(self.ledger.released) == list(range(1, self.tokens + 1))
        assert [client.closed for client in self.clients] == [1] * len(self.clients)
        calls = self.watchdog.calls
        assert self.progress.calls == calls.total()
        for number in range(1, self.tokens + 1):
            granted = self.ledger.granted[number]
            assert calls[number] == self.ledger.done[number] <= granted
            assert self.ledger.unused[number] == granted - calls[number]
        for lane in [t for t in threading.enumerate() if "stock-sync" in t.name]:
            lane.join(5)
            assert not lane.is_alive()

    @property
    def failed(self) -> list[int]:
        return [failure.task.stock_id for failure in self.store.failures]

    @property
    def reasons(self) -> Counter[str]:
        return Counter(failure.reason for failure in self.store.failures)


def stocks(count: int) -> list[Task]:
    return [task(number) for number in range(count)]
