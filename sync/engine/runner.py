"""协调者:启动通道,收结果,写入,报告,停止。

The coordinator's thread is the caller's. It alone talks to the store and the ledger;
lanes talk to it through one bounded queue.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from queue import Empty, Full
from random import Random
from threading import Event

from . import coverage
from .breaker import Breaker
from .caller import TokenOut, TokenRests
from .deck import Deck
from .errors import NoToken, ProviderDown, SyncError
from .garbage import seldom_collected
from .lanes import Lane, LaneEnded, Message
from .pacing import Meter
from .plan import Limits, deal_tokens, thread_count
from .ports import Client, Clock, Failure, Ledger, Part, Progress, Store, Task
from .results import BARS, Results
from .sharing import BatchTooLarge
from .wallet import LeasedToken, Wallet

logger = logging.getLogger(__name__)

TICK = 0.05  # seconds between two looks at what has come
BEAT = 1.0  # seconds between two heartbeats, and until what waits is written
BATCH_PARTS = 200
BATCH_KLINES = 20_000
LANES_STOP = 3.0  # seconds until lanes that do not stop are left behind


@dataclass(frozen=True, slots=True)
class Desk:
    """协调者要用到的外界。"""

    store: Store
    ledger: Ledger
    clock: Clock
    connect: Callable[[], Client]
    stop: Event
    watch: Callable[[Progress], None] = lambda _progress: None
    dice: Random = field(default_factory=Random)


class Runner:
    """一个市场的一次运行。

    `run` returns when every task has been stored, recorded as failed, or left for
    later: after a stop, and where the quota ran out or the tokens' plans lack the
    market, which `starved` tells. An
    unexpected error of a lane or of the store is raised after the lanes have ended and
    the tokens have been given back.
    """

    def __init__(
        self,
        market: str,
        tokens: Sequence[LeasedToken],
        *,
        desk: Desk,
        limits: Limits,
        progress: Progress,
    ) -> None:
        self._market = market
        self._desk = desk
        self._progress = progress
        self._calls_before = progress.calls
        self._wallet = Wallet(tokens, ledger=desk.ledger, clock=desk.clock)
        meters = self._wallet.meters
        hands = deal_tokens(meters, thread_count(len(meters), limits))
        self.tokens_per_thread = [len(hand) for hand in hands]
        self._deck = Deck(len(hands), size=limits.queue_size)
        self._breaker = Breaker(len(meters))
        self._results = Results(BARS)
        self._look = Event()
        self.starved = False
        self._halt = Event()
        self._abandoned = Event()
        self._lanes = [self._lane(number, hand) for number, hand in enumerate(hands)]
        self._alive = {lane.number for lane in self._lanes}
        self._crash: Exception | None = None
        self._parts: list[Part] = []
        self._failures: list[Failure] = []
        self._klines = 0
        self._flush_at = self._beat_at = desk.clock.now()

    @seldom_collected()
    def run(self, tasks: Iterable[Task]) -> None:
        """执行全部任务,直到做完或者被要求停下。"""
        waiting = iter(tasks)
        pool = ThreadPoolExecutor(len(self._lanes), "stock-sync-pool")
        futures: list[Future[None]] = []
        try:
            self._beat()
            # Enough for two rounds: the rest is read while the first calls are made,
            # with one token a lane, and the other tokens' calls are reserved.
            self._deal(waiting, most=2 * sum(lane.batch for lane in self._lanes))
            self._wallet.top_up(
                *(m for lane in self._lanes for m in islice(lane.meters, 1))
            )
            for lane in self._lanes:
                logger.info("Lane %d has %d tokens", lane.number, len(lane.meters))
                futures.append(pool.submit(lane.run))
            self._deal(waiting)
            self._wallet.top_up()
            self._wake_lanes()
            self._loop(waiting)
            self._finish(waiting)
        finally:
            try:
                self._abandoned.set()
                self._end_lanes()
                wait(futures, timeout=LANES_STOP)
                pool.shutdown(wait=False, cancel_futures=True)
                for lane in self._lanes[len(futures) :]:
                    lane.client.close()
            finally:
                self._progress.calls = self._calls_before + self._wallet.calls
                self._wallet.release()

    def _lane(self, number: int, hand: list[Meter]) -> Lane:
        return Lane(
            number,
            hand,
            connect=self._desk.connect,
            deck=self._deck,
            breaker=self._breaker,
            report=self._report,
            stop=self._halt,
            clock=self._desk.clock,
            dice=self._desk.dice,
        )

    def _loop(self, waiting: Iterator[Task]) -> None:
        give_up_at = float("inf")
        while self._alive and self._now() < give_up_at:
            self._receive(seconds=TICK)
            # With nothing left to take, what is there is written during the last calls.
            if self._due() or self._deck.empty():
                self._flush()
            if self._now() >= self._beat_at:
                self._beat()
            if self._wallet.top_up():
                self._wake_lanes()
            self._deal(waiting)
            if not self._halt.is_set() and (self._desk.stop.is_set() or self._crash):
                give_up_at = self._now() + LANES_STOP
                self._end_lanes()

    def _finish(self, waiting: Iterator[Task]) -> None:
        """通道都结束以后:没有做的任务记为失败,除非是有人要求停下。"""
        self._receive(seconds=0)
        self._flush()
        if self._crash:
            raise self._crash
        self._give_up(waiting)

    def _report(self, message: Message) -> None:
        """由通道的线程调用;队列满时等待。

        Seldom wakes the coordinator, which looks by itself: to be woken for each
        message it would take the interpreter's lock from the lane that is about to ask
        again.
        """
        while not self._abandoned.is_set():
            try:
                self._results.put(message, timeout=TICK)
            except Full:
                continue
            rare = not isinstance(message, Part | Failure)
            if rare or self._results.half_full() or self._deck.low():
                self._look.set()
            return

    def _receive(self, *, seconds: float) -> None:
        self._look.wait(seconds)
        self._look.clear()
        try:
            while not self._due():
                self._take(self._results.get_nowait())
        except Empty:
            return
        self._look.set()  # there may be more

    def _take(self, message: Message) -> None:
        match message:
            case Part():
                self._await_flush()
                self._parts.append(message)
                self._klines += len(message.klines)
            case Failure():
                self._await_flush()
                self._failures.append(message)
            case TokenOut(meter, error):
                logger.warning("Token %s is out: %s", meter.token.label, error)
                self._desk.ledger.out(meter.token, error, market=self._market)
            case TokenRests(meter, seconds, text):
                self._desk.ledger.rest(meter.token, seconds=seconds, text=text)
            case BatchTooLarge(token, asked, batch):
                self._desk.ledger.shrink(token, batch=batch, asked=asked)
            case LaneEnded(number, crash):
                self._alive.discard(number)
                self._crash = self._crash or crash

    def _await_flush(self) -> None:
        if not self._parts and not self._failures:
            self._flush_at = self._now() + BEAT

    def _due(self) -> bool:
        waiting = self._parts or self._failures
        late = bool(waiting) and self._now() >= self._flush_at
        many = max(len(self._parts), len(self._failures)) >= BATCH_PARTS
        return late or many or self._klines >= BATCH_KLINES

    def _flush(self) -> None:
        if self._parts:
            self._desk.store.save(self._parts)
            self._progress.stored(self._parts)
        if self._failures:
            self._desk.store.record(self._failures)
            self._progress.not_stored(self._failures)
        self._parts, self._failures, self._klines = [], [], 0

    def _beat(self) -> None:
        self._beat_at = self._now() + BEAT
        self._progress.calls = self._calls_before + self._wallet.calls
        beat = self._desk.store.beat(self._progress)
        self._wallet.leased(beat)
        if beat.cancelled:
            self._desk.stop.set()
        self._show()

    def _show(self) -> None:
        try:
            self._desk.watch(self._progress)
        except Exception:
            # An observer is no part of the run.
            logger.exception("Progress could not be shown")

    def _deal(self, waiting: Iterator[Task], *, most: int | None = None) -> None:
        if self._halt.is_set():
            return
        room = self._deck.room() if most is None else min(most, self._deck.room())
        # All at once: a lane that waits would take the first and leave the others,
        # which could have shared its call.
        tasks: list[Task] = []
        while len(tasks) < room and (task := next(waiting, None)):
            if task.windows:
                tasks.append(task)
            else:
                self._progress.skip(1)
        self._progress.stocks += len(tasks)
        self._deck.deal(*tasks)
        if len(tasks) < room:
            self._deck.close()

    def _give_up(self, waiting: Iterator[Task]) -> None:
        error: SyncError = NoToken("Token不可用")
        left = self._deck.drain()
        if self._breaker.open:
            error = ProviderDown("not tried: the provider does not answer")
        elif (
            self._wallet.spent or self._wallet.lacking
        ) and not self._desk.stop.is_set():
            # No failure of the stocks: they are fetched once there are calls again, or
            # a token whose plan has the market.
            self._progress.stocks -= len(left)
            self.starved = bool(left)
            return
        while left and not self._desk.stop.is_set():
            self._failures += [
                Failure(task, coverage.hull(task.windows), error.reason, str(error))
                for task in left
            ]
            self._flush()
            self._beat()
            self._deal(waiting)
            left = self._deck.drain()

    def _wake_lanes(self) -> None:
        for lane in self._lanes:
            lane.wake.set()

    def _end_lanes(self) -> None:
        self._halt.set()
        self._deck.close()
        for lane in self._lanes:
            lane.client.abort()
        self._wake_lanes()

    def _now(self) -> float:
        return self._desk.clock.now()
