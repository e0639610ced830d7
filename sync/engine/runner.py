"""协调者:启动通道,收结果,写入,报告,停止。

The coordinator's thread is that of whoever calls `run`. It alone talks to the store and
the ledger; lanes talk to it through one bounded queue.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from queue import Empty, Full
from random import Random
from threading import Event, Thread

from . import coverage
from .breaker import Breaker
from .depth import Depths
from .errors import NoAnswer, NoToken, ProviderDown, SyncError
from .garbage import rare_garbage_collection
from .lanes import Lane
from .messages import (
    BatchTooLarge,
    LaneEnded,
    Message,
    MessageQueue,
    TokenOut,
    TokenRests,
)
from .pacing import RateLimiter
from .plan import Limits, Tuning, deal_tokens, thread_count
from .ports import (
    Change,
    Client,
    Clock,
    Failure,
    LeasedToken,
    Ledger,
    Part,
    Progress,
    Sharing,
    Store,
    Task,
)
from .queues import LaneQueues
from .snapshot import LaneSnapshot, Snapshot, token_snapshot
from .token_pool import TokenPool

logger = logging.getLogger(__name__)

# A run of more is long, and keeps some of its calls for others.
FEW_CALLS = 50
BATCH_PARTS = 200
BATCH_KLINES = 20_000
USUAL = Tuning()


class Alone:
    """没有别的运行:什么也不用让,也没有可拿的。"""

    def look(self, *, held: int, wanted: int | None, calls: int) -> Change:
        """什么也不变。"""
        return Change()


@dataclass(frozen=True, slots=True)
class Ports:
    """协调者要用到的外界,每样一个端口。"""

    store: Store
    ledger: Ledger
    clock: Clock
    connect: Callable[[], Client]
    stop: Event
    watch: Callable[[Progress], None] = lambda _progress: None
    sharing: Sharing = field(default_factory=Alone)
    dice: Random = field(default_factory=Random)


class Runner:
    """一个市场的一次运行。

    `run` returns when every task has been stored, recorded as failed, or left for
    later: after a stop; where it is others' turn, which sets `stop`; and where the
    quota ran out or the tokens' plans lack the market, which `starved` tells.
    An unexpected error of a lane or of the store is raised after the lanes have ended
    and the tokens have been given back.
    """

    def __init__(
        self,
        market: str,
        tokens: Sequence[LeasedToken],
        *,
        ports: Ports,
        limits: Limits,
        progress: Progress,
        tuning: Tuning = USUAL,
    ) -> None:
        self._market = market
        self._tuning = tuning
        self._limits = limits
        self._ports = ports
        self._progress = progress
        self._calls_before = progress.calls
        self._pool = TokenPool(tokens, ledger=ports.ledger, clock=ports.clock)
        limiters = self._pool.limiters
        shares = deal_tokens(limiters, thread_count(len(limiters), limits))
        self.tokens_per_thread = [len(share) for share in shares]
        self._queues = LaneQueues(len(shares), size=limits.queue_size)
        self._breaker = Breaker(len(limiters), window=tuning.breaker_window)
        self._depths = Depths(
            {leased.token.id: leased.depths for leased in tokens},
            at=ports.clock.epoch(),
            alive=lambda: [each.token.id for each in self._pool.in_use],
        )
        self._messages = MessageQueue()
        self._look = Event()
        self.starved = False
        self._halt = Event()
        self._leave_by = float("inf")
        self._abandoned = Event()
        self._lanes = [self._lane(number, share) for number, share in enumerate(shares)]
        self._threads: list[Thread] = []
        self._alive = {lane.number for lane in self._lanes}
        self._crash: Exception | None = None
        self._parts: list[Part] = []
        self._failures: list[Failure] = []
        self._klines = 0
        self._flush_at = self._beat_at = ports.clock.now()

    def snapshot(self) -> Snapshot:
        """看看此刻每条通道在做什么;由协调者的线程调用。"""
        now, epoch = self._now(), self._ports.clock.epoch()
        taken = partial(token_snapshot, now=now, epoch=epoch)
        seen = {one.token.id: taken(one) for one in self._pool.limiters}
        lanes = []
        for lane in self._lanes:
            if lane.number in self._alive:
                code, more, since = lane.at_work or ("", 0, None)
                known = [seen.get(one.token.id) for one in lane.dealt]
                tokens = [token for token in known if token]
                lanes.append(LaneSnapshot(lane.number, code, more, since, tokens))
        dealt = {token.id for lane in lanes for token in lane.tokens}
        out = [token for token in seen.values() if token and token.id not in dealt]
        return Snapshot(epoch, lanes, out)

    @rare_garbage_collection()
    def run(self, tasks: Iterable[Task]) -> None:
        """执行全部任务,直到做完或者被要求停下。"""
        waiting = iter(tasks)
        try:
            self._beat()
            # Enough for two rounds, and the calls of one token a lane: the rest is read
            # and reserved while the first calls are made.
            self._deal(waiting, most=2 * sum(lane.batch for lane in self._lanes))
            self._pool.top_up(
                *(m for lane in self._lanes for m in islice(lane.limiters, 1))
            )
            self._pool.keep_some(long=self._is_long())
            self._start_lanes()
            self._deal(waiting)
            self._pool.top_up()
            self._wake_lanes()
            self._loop(waiting)
            self._finish(waiting)
        finally:
            try:
                self._stop_lanes()
            finally:
                self._tell_depths()
                # Last, for a lane that has not ended may still use them.
                self._progress.calls = self._calls_before + self._pool.calls
                self._progress.waits = None
                self._pool.release()

    def _start_lanes(self) -> None:
        """启动还没有启动的通道。"""
        for lane in self._lanes[len(self._threads) :]:
            logger.info("Lane %d has %d tokens", lane.number, len(lane.limiters))
            # A daemon: one that is left behind must not hold up the process's end.
            name = f"stock-sync-lane-{lane.number}"
            thread = Thread(target=lane.run, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def _stop_lanes(self) -> None:
        """让全部通道停下,等它们结束;不停的留在后面。"""
        # First, for a lane that waits for room to report would hear of nothing else.
        self._abandoned.set()
        self._end_lanes()
        until = self._now() + self._tuning.lanes_stop
        for thread in self._threads:
            thread.join(max(0.0, until - self._now()))
        # A lane closes its client itself; these have not begun.
        for lane in self._lanes[len(self._threads) :]:
            lane.client.close()

    def _lane(self, number: int, limiters: list[RateLimiter]) -> Lane:
        return Lane(
            number,
            limiters,
            connect=self._ports.connect,
            queues=self._queues,
            breaker=self._breaker,
            report=self._report,
            stop=self._halt,
            clock=self._ports.clock,
            dice=self._ports.dice,
            tuning=self._tuning,
            depths=self._depths,
        )

    def _loop(self, waiting: Iterator[Task]) -> None:
        give_up_at = float("inf")
        while self._alive and self._now() < give_up_at:
            self._receive(seconds=self._tuning.tick)
            # With nothing left to take, what is there is written during the last calls,
            # instead of after them.
            if self._due() or self._queues.all_taken():
                self._flush()
            if self._now() >= self._beat_at:
                self._beat()
                self._share()
            self._pool.hand_over()
            if self._pool.top_up():
                self._wake_lanes()
            self._deal(waiting)
            if not self._halt.is_set() and self._must_stop():
                give_up_at = self._now() + self._tuning.lanes_stop
                self._end_lanes()

    def _must_stop(self) -> bool:
        late = self._now() >= self._leave_by
        return late or self._ports.stop.is_set() or self._crash is not None

    def _leave(self) -> None:
        """轮到别人了:不再开始新的股票,手里的做完为止;到期还没有做完的打断。"""
        if self._leaving:
            return
        self._leave_by = self._now() + self._tuning.leave
        self._queues.close()
        self._queues.drain()
        self._wake_lanes()

    @property
    def _leaving(self) -> bool:
        return self._leave_by < float("inf")

    def _finish(self, waiting: Iterator[Task]) -> None:
        """通道都结束以后:没有做的任务记为失败,除非是有人要求停下。"""
        self._receive(seconds=0)
        self._flush()
        if self._crash:
            raise self._crash
        if self._leaving:
            self._ports.stop.set()
        self._give_up(waiting)

    def _report(self, message: Message) -> None:
        """收下通道的一条消息,由通道的线程调用;队列满时等待。

        Seldom wakes the coordinator, which looks by itself: to be woken for each
        message it would take the interpreter's lock from the lane that is about to ask
        again.
        """
        while not self._abandoned.is_set():
            try:
                self._messages.put(message, timeout=self._tuning.tick)
            except Full:
                continue
            rare = not isinstance(message, Part | Failure)
            if rare or self._messages.half_full() or self._queues.running_low():
                self._look.set()
            return

    def _receive(self, *, seconds: float) -> None:
        self._look.wait(seconds)
        self._look.clear()
        try:
            while not self._due():
                self._take(self._messages.get_nowait())
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
            case TokenOut(limiter, error):
                logger.warning("Token %s is out: %s", limiter.token.label, error)
                self._ports.ledger.out(limiter.token, error, market=self._market)
            case TokenRests(limiter, seconds, text):
                self._ports.ledger.rest(limiter.token, seconds=seconds, text=text)
            case BatchTooLarge(token, asked, batch, empty):
                ledger = self._ports.ledger
                ledger.shrink(token, batch=batch, asked=asked, empty=empty)
            case LaneEnded(number, crash):
                self._alive.discard(number)
                self._crash = self._crash or crash

    def _await_flush(self) -> None:
        if not self._parts and not self._failures:
            self._flush_at = self._now() + self._tuning.beat

    def _due(self) -> bool:
        waiting = self._parts or self._failures
        late = bool(waiting) and self._now() >= self._flush_at
        many = max(len(self._parts), len(self._failures)) >= BATCH_PARTS
        return late or many or self._klines >= BATCH_KLINES

    def _flush(self) -> None:
        if self._parts:
            saved = self._ports.store.save(self._parts)
            self._progress.stored(saved.parts)
            self._failures += saved.failures
        if self._failures:
            self._ports.store.record(self._failures)
            self._progress.not_stored(self._failures)
        self._parts, self._failures, self._klines = [], [], 0

    def _beat(self) -> None:
        self._beat_at = self._now() + self._tuning.beat
        self._progress.calls = self._calls_before + self._pool.calls
        self._progress.waits = self._pool.waits()
        beat = self._ports.store.beat(self._progress)
        self._pool.renew(beat)
        self._tell_depths()
        if beat.cancelled:
            self._ports.stop.set()
        elif beat.leave:
            self._leave()
        self._show()

    def _tell_depths(self) -> None:
        for token, depths in self._depths.changes().items():
            self._ports.ledger.learned(token, depths)

    def _share(self) -> None:
        """让出别的运行等着的 Token,收下空出来的。"""
        if self._halt.is_set() or not self._alive:
            return
        self._pool.keep_some(long=self._is_long())
        change = self._ports.sharing.look(
            held=len(self._pool.in_use),
            wanted=self._queues.left(),
            calls=self._progress.calls,
        )
        for leased in change.more:
            now = self._ports.clock.epoch()
            self._depths.add(leased.token.id, leased.depths, at=now)
        self._pool.add(change.more)
        leaving = self._pool.chosen_to_leave(change.give, among=change.among)
        if change.hopeless and self._pool.lent:
            self._dismiss()
        elif change.more or leaving:
            # The lanes first: a token that is gone ends a lane that has no other.
            self._deal_tokens(without=leaving)
            self._pool.let_go(leaving)
            self._pool.top_up()

    def _is_long(self) -> bool:
        left = self._queues.left()
        return left is None or left + self._pool.calls > FEW_CALLS

    def _deal_tokens(self, *, without: Sequence[RateLimiter]) -> None:
        """把在用的 Token 重新分给通道;多了就再开几条。"""
        tokens = [each for each in self._pool.in_use if each not in without]
        logger.info("The run has %d tokens now", len(tokens))
        lanes = [lane for lane in self._lanes if lane.number in self._alive]
        for _ in range(thread_count(len(tokens), self._limits) - len(lanes)):
            lane = self._lane(self._queues.widen(), [])
            self._lanes.append(lane)
            self._alive.add(lane.number)
            lanes.append(lane)
        shares = deal_tokens(tokens, len(lanes))
        for lane, share in zip(lanes, shares, strict=True):
            lane.deal(share)
        self.tokens_per_thread = max(
            self.tokens_per_thread, [len(share) for share in shares], key=len
        )
        self._start_lanes()

    def _dismiss(self) -> None:
        """一个 Token 也不会再有:让等着的通道结束,没有做的任务以后再做。"""
        self.starved = True
        self._halt.set()
        self._queues.close()
        self._wake_lanes()

    def _show(self) -> None:
        try:
            self._ports.watch(self._progress)
        except Exception:
            # An observer is no part of the run.
            logger.exception("Progress could not be shown")

    def _deal(self, waiting: Iterator[Task], *, most: int | None = None) -> None:
        if self._halt.is_set() or self._leaving:
            return
        room = self._queues.room() if most is None else min(most, self._queues.room())
        # All at once: a lane that waits would take the first and leave the others,
        # which could have shared its call.
        tasks: list[Task] = []
        while len(tasks) < room and (task := next(waiting, None)):
            if task.windows:
                tasks.append(task)
            else:
                self._progress.skip(1)
        self._progress.stocks += len(tasks)
        self._queues.deal(*tasks)
        if len(tasks) < room:
            self._queues.close()

    def _give_up(self, waiting: Iterator[Task]) -> None:
        error: SyncError = NoToken("Token不可用")
        left = self._queues.drain()
        if self._breaker.open:
            error = ProviderDown("not tried: the provider does not answer")
        elif self._must_wait and not self._ports.stop.is_set():
            # No failure of the stocks: they are fetched once there are calls again, or
            # a token whose plan has the market.
            self._progress.stocks -= len(left)
            self.starved = self.starved or bool(left)
            return
        while left and not self._ports.stop.is_set():
            self._failures += [_failure(task, error) for task in left]
            self._flush()
            self._beat()
            self._deal(waiting)
            left = self._queues.drain()

    @property
    def _must_wait(self) -> bool:
        return self.starved or self._pool.spent or self._pool.lacking

    def _wake_lanes(self) -> None:
        for lane in self._lanes:
            lane.wake.set()

    def _end_lanes(self) -> None:
        # The stop before the abort: a call that is cut must find it set, or it would
        # count as the provider's fault and be tried again. Waking comes last, for who
        # wakes looks at all of these.
        self._halt.set()
        self._queues.close()
        for lane in self._lanes:
            lane.client.abort()
        self._wake_lanes()

    def _now(self) -> float:
        return self._ports.clock.now()


def _failure(task: Task, error: SyncError) -> Failure:
    if task.unanswered:
        error = NoAnswer("asked for when the provider stopped answering")
    return Failure(task, coverage.hull(task.windows), error.reason, str(error))
