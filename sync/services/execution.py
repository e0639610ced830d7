"""执行一次运行:抢占分片,租用 Token,逐个市场交给引擎。"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from itertools import count
from threading import Event

from django.conf import settings
from django.db import transaction
from django.db.utils import DatabaseError
from django.utils import timezone

from tokens.models import ApiToken

from ..engine.errors import LostLease
from ..engine.plan import Limits
from ..engine.ports import Beat, Progress, Task
from ..engine.runner import Desk, Runner
from ..engine.wallet import LeasedToken
from ..models import RunKind, RunState, ShardState, SyncRun, SyncShard
from ..models.runs import LEASE
from ..patience import AWAY, Patience, Unavailable
from ..providers.itick import ItickClient
from ..settling import Recording, Retrying
from ..storage import DatabaseStore
from .clock import SystemClock
from .errors import AlreadyRunning, NoUsableToken
from .ledger import TokenLedger
from .processes import this_process
from .recovery import SILENT
from .requests import PROVIDER, require_token
from .worklist import markets_of, tasks_of

logger = logging.getLogger(__name__)

# A lane stops calling this long before its lease is over.
MARGIN = 10.0
LOOK_AGAIN = 1.0  # seconds between two looks for free tokens
Watch = Callable[[SyncRun, Progress, str], None]


def execute(
    run: SyncRun,
    *,
    stop: Event,
    watch: Watch = lambda _run, _progress, _note: None,
    now: Callable[[], datetime] = timezone.now,
) -> SyncRun:
    """在这个进程里执行一次运行,直到有了最终状态。

    `stop` asks it to stop; `watch` is told about once a second how far it is. Returns
    the run as it ended. Raises NoUsableToken where no token can serve it, and whatever
    nobody has foreseen, after the run has been marked as failed.
    """
    patience = Patience(stop=stop, clock=SystemClock(), limit=AWAY)
    shard = patience(run.shards.get)
    fence = _claim(shard, patience=patience, now=now)
    if fence is None:
        raise AlreadyRunning(f"{run} is being worked on by another process.")
    execution = Execution(
        run, shard, fence=fence, stop=stop, watch=watch, now=now, patience=patience
    )
    logger.info("Run %d started", run.pk, extra={"event": "run.started"})
    try:
        execution.work()
    except LostLease:
        logger.warning("Run %d was taken over by another process", run.pk)
        patience(run.refresh_from_db)
    except Exception as error:
        if not (stop.is_set() and isinstance(error, Unavailable)):
            execution.end(RunState.FAILED, error=_said(error))
            raise
        logger.warning("Run %d stops: %s", run.pk, error)
        execution.end(execution.outcome())
    else:
        execution.end(execution.outcome())
    return run


class Execution:
    """一个分片的一次执行。"""

    def __init__(
        self,
        run: SyncRun,
        shard: SyncShard,
        *,
        fence: int,
        stop: Event,
        watch: Watch,
        now: Callable[[], datetime],
        patience: Patience,
    ) -> None:
        self.run = run
        self.progress = Progress()
        self._stop = stop
        self._watch = watch
        self._now = now
        self._note = ""
        self._cancelled = False
        self._threads: list[int] = []
        self._patience = patience
        self._ledger = TokenLedger(
            owner=shard.owner(fence),
            now=now,
            patient=patience,
            seconds=int(SILENT.total_seconds()),
        )
        self._store = DatabaseStore(
            shard,
            fence=fence,
            now=now,
            patient=patience,
            beaten=self._beaten,
            books=Retrying(run) if run.kind == RunKind.RETRY else Recording(run),
        )

    def work(self) -> None:
        """逐个市场取完要取的股票。"""
        active, at = SyncRun.objects.active().filter(pk=self.run.pk), self._now()
        self._patience(partial(active.update, state=RunState.RUNNING, started_at=at))
        limits = Limits(
            tokens_per_thread=settings.STOCK_SYNC_TOKENS_PER_THREAD,
            max_threads=settings.STOCK_SYNC_MAX_THREADS,
            queue_size=settings.STOCK_SYNC_QUEUE_SIZE,
        )
        desk = Desk(
            store=self._store,
            ledger=self._ledger,
            clock=SystemClock(),
            connect=self._connect,
            stop=self._stop,
            watch=self._show,
        )
        for market in markets_of(self.run, patient=self._patience):
            if self._stop.is_set() or self._complete(market):
                continue
            tokens = self._tokens_for(market)
            if self._stop.is_set():
                continue
            runner = Runner(
                market, tokens, desk=desk, limits=limits, progress=self.progress
            )
            self._threads = max(self._threads, runner.tokens_per_thread, key=len)
            # Read only now: the run whose tokens we waited for has fetched meanwhile.
            runner.run(self._tasks(market))

    def outcome(self) -> RunState:
        """没有意外时的最终状态。"""
        if self._stop.is_set():
            return RunState.CANCELLED if self._cancelled else RunState.INTERRUPTED
        if not self.progress.failed:
            return RunState.SUCCEEDED
        some = self.progress.succeeded + self.progress.skipped
        return RunState.PARTIAL if some else RunState.FAILED

    def end(self, state: RunState, *, error: str = "") -> None:
        """写下最终状态;数据库不在时留给下一次运行去收拾。"""
        try:
            self._patience(lambda: self._end(state, error=error))
            self._patience(self.run.refresh_from_db)
        except DatabaseError as fault:
            text = "The end of run %d could not be written: %s"
            unforeseen = not isinstance(fault, Unavailable)
            logger.warning(text, self.run.pk, fault, exc_info=unforeseen)
            # For who looks at it now; the row still says that it runs.
            self.run.state, self.run.error = state, error
        self._show(self.progress)

    def _beaten(self) -> Beat:
        """保存进度,续租 Token,看看有没有人要求取消。"""
        at = self._now()
        SyncRun.objects.active().filter(pk=self.run.pk).update(
            heartbeat_at=at, **self._numbers()
        )
        held = self._ledger.renew()
        wish = SyncRun.objects.values_list("cancel_requested_at", flat=True)
        self._cancelled = wish.get(pk=self.run.pk) is not None
        return Beat(LEASE.total_seconds() - MARGIN, held, self._cancelled)

    def _complete(self, market: str) -> bool:
        """这个市场已经齐全、不需要 Token 了吗;是的话股票都算跳过。"""
        stocks = 0
        for task in self._tasks(market):
            if task.windows:
                return False
            stocks += 1
        self.progress.stocks += stocks
        self.progress.skipped += stocks
        return True

    def _tasks(self, market: str) -> Iterator[Task]:
        return tasks_of(self.run, market, at=self._now(), patient=self._patience)

    def _tokens_for(self, market: str) -> list[LeasedToken]:
        """能用于这个市场的 Token;第一个市场就没有时抛出 NoUsableToken。

        For a later market none means that its stocks are recorded as failed: what the
        markets before it have got must not end as a run that could not start.
        """
        try:
            return self._lease(market)
        except NoUsableToken as error:
            if not self.progress.calls:
                raise
            logger.warning("Run %d has no token for %s: %s", self.run.pk, market, error)
            return []

    def _lease(self, market: str) -> list[LeasedToken]:
        """租用能用于这个市场的 Token;都被占用时等待。"""
        while True:
            at = self._now()
            available = ApiToken.objects.available(PROVIDER, at=at, market=market)
            if leased := self._ledger.lease(available):
                self._note = ""
                return leased
            self._wait(self._patience(partial(_why_wait, market, at=at)))
            if self._stop.is_set():
                return []

    def _wait(self, why: str) -> None:
        if self._note != why:
            logger.info("Run %d waits: %s", self.run.pk, why)
        self._note = why
        if self._store.beat(self.progress).cancelled:
            self._stop.set()
        self._show(self.progress)
        self._stop.wait(LOOK_AGAIN)

    def _connect(self) -> ItickClient:
        return ItickClient(allowed_hosts=settings.ITICK_ALLOWED_HOSTS)

    def _show(self, progress: Progress) -> None:
        try:
            self._watch(self.run, progress, self._note)
        except Exception:  # an observer must not change what it observes
            logger.exception("The progress of run %d could not be shown", self.run.pk)

    def _end(self, state: RunState, *, error: str) -> None:
        at = self._now()
        shards = SyncShard.objects.held(self._store.shard.pk, fence=self._store.fence)
        # One transaction: tried again after a deadlock, it finds the shard as it was.
        with transaction.atomic():
            if shards.update(state=ShardState.DONE, heartbeat_at=at, leased_until=at):
                SyncRun.objects.end(
                    self.run.pk, state=state, error=error, at=at, **self._numbers()
                )

    def _numbers(self) -> dict[str, object]:
        progress = self.progress
        return {
            "stocks": progress.stocks,
            "succeeded": progress.succeeded,
            "failed": progress.failed,
            "skipped": progress.skipped,
            "klines": progress.klines,
            "dropped": progress.dropped,
            "calls": progress.calls,
            "reasons": progress.reasons,
            "threads": len(self._threads),
            "tokens_per_thread": self._threads,
        }


def _claim(
    shard: SyncShard, *, patience: Patience, now: Callable[[], datetime]
) -> int | None:
    """抢占分片,返回 fence;已经抢到而没有听到回答的也算。"""
    shards, process, attempts = SyncShard.objects, this_process(), count()

    def claim() -> int | None:
        again = next(attempts) > 0
        if fence := shards.claim(shard, process=process, at=now()):
            return fence
        ours = shards.held(shard.pk, fence=shard.fence + 1).filter(process=process)
        return shard.fence + 1 if again and ours.exists() else None

    return patience(claim)


def _why_wait(market: str, *, at: datetime) -> str:
    """为什么要等 Token;等也没有用时抛出 NoUsableToken。"""
    require_token([market], at=at)
    why = ApiToken.objects.why_none_available(PROVIDER, at=at, markets=[market])
    # One query: another run may give its tokens back between two.
    usable = ApiToken.objects.usable(PROVIDER, at=at, market=market)
    if not (usable.held(at=at) | usable.with_calls_left(at=at)).exists():
        raise NoUsableToken(why)
    return why


def _said(error: Exception) -> str:
    if isinstance(error, (NoUsableToken, DatabaseError)):
        return str(error)
    return f"{type(error).__name__}: see the log"
