"""执行一个分片:逐个市场租用 Token,交给引擎,写下结局。"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from threading import Event
from typing import Any

from django.conf import settings
from django.db.models.functions import Coalesce
from django.db.utils import DatabaseError

from common.messages import Message
from sync.engine.errors import LostLease
from sync.engine.plan import Limits, Tuning
from sync.engine.ports import Beat, LeasedToken, Progress, Task
from sync.engine.runner import Ports, Runner
from sync.engine.token_pool import TokenPool
from sync.models import RunKind, RunState, ShardState, SyncRun, SyncShard
from sync.models.shards import LEASE, SILENT, UNFINISHED
from sync.providers.itick import ItickClient
from sync.storage.failures import BatchFailures, RetryFailures
from sync.storage.klines import DatabaseStore
from sync.storage.retrying import DatabaseRetry, Unavailable
from tokens.models import TokenWish
from tokens.validation import allowed_hosts

from ..clock import SharedClock
from ..errors import NoUsableToken
from ..quality.recount import recount_touched
from ..stocks.gone import weigh_silence
from ..stopping import InnerStop
from ..tokens.ledger import TokenLedger
from ..tokens.serving import Serving, serving
from ..tokens.sharing import TokenSharing
from ..work.batch import failed_of, markets_of, tasks_of
from ..work.older import OlderHistory
from ..work.sizing import calls_wanted, complete
from ..work.slices import Slice
from .cut import capacity
from .finish import Finish
from .leasing import Leasing, LeftToSiblings, Parked, soonest
from .record import RunRecord
from .states import ADDED, numbers_of, resumed, saved_numbers, totals
from .telling import described, message_of
from .turns import WorkerTurn

logger = logging.getLogger(__name__)

# A lane stops calling this long before its lease is over.
MARGIN = 10.0
TUNING = Tuning()
LOOK_AGAIN = 1.0  # seconds between two looks for free tokens
Watch = Callable[[SyncRun, Progress, str], None]


class Execution:
    """一次抢占之后,一个分片的执行。

    The shard is claimed already, so the constructor asks nobody for anything: what
    fails from here on is written into the shard by `run_to_end`. With a `turn` it
    occupies a worker of the cluster, which it leaves to others when that is over.
    """

    def __init__(
        self,
        shard: SyncShard,
        *,
        fence: int,
        stop: Event,
        watch: Watch,
        now: Callable[[], datetime],
        retrying: DatabaseRetry,
        turn: WorkerTurn | None = None,
    ) -> None:
        self.run = shard.run
        self.shard = shard
        self._slice = Slice(shard.number)
        self._stop = InnerStop(stop)  # the process has more to do
        self._turn = turn
        self._watch = watch
        self._now = now
        self._clock = SharedClock()
        self._note = Message()
        self._runner: Runner | None = None
        self._wished = False
        self._cancelled = False
        self._threads: list[int] = []
        self._serving = Serving()
        self._of_the_run: Progress | None = None  # where there are several shards
        self._retrying = retrying
        self.progress = Progress()
        self._done_before: int | None = None  # until it is read
        self._ledger = TokenLedger(
            owner=shard.owner(fence),
            now=now,
            retrying=retrying,
            seconds=int(SILENT.total_seconds()),
        )
        self._leasing = Leasing(
            self.run,
            ledger=self._ledger,
            now=now,
            retrying=retrying,
            wait=self._wait,
            tell=self._tell,
        )
        self._finish = Finish(
            shard, fence=fence, retrying=retrying, now=now, numbers=self._numbers
        )
        self._store = self._to_database(fence)
        self._record = RunRecord(shard, now=now)

    def _to_database(self, fence: int) -> DatabaseStore:
        retry = self.run.kind == RunKind.RETRY
        return DatabaseStore(
            self.shard,
            fence=fence,
            now=self._now,
            retrying=self._retrying,
            beaten=self._beaten,
            books=RetryFailures(self.run) if retry else BatchFailures(self.run),
        )

    def run_to_end(self) -> ShardState:
        """做完这个分片,写下结局,返回它此后的状态;被别人接管了就还在执行。"""
        try:
            state = self._ended()
            self._record.flush()
            return state
        finally:
            self._show(self.progress)

    def _ended(self) -> ShardState:
        try:
            self._load()
            self.work()
        except LostLease:
            logger.warning("%s was taken over by another process", self.shard)
            self._retrying(self.run.refresh_from_db)
            return ShardState.RUNNING
        except Parked as parked:
            return self._parked(parked)
        except LeftToSiblings:
            return self._finish.left()
        except Unavailable as error:
            if not self._stop.is_set():
                self._finish.write(ShardState.FAILED, error=message_of(error))
                raise
            logger.warning("%s stops: %s", self.shard, error)
            return self._finish.interrupted()
        except Exception as error:
            self._finish.write(ShardState.FAILED, error=message_of(error))
            raise
        finally:
            self._withdraw()
        return self._finished()

    def _withdraw(self) -> None:
        """不再要 Token 了;说不出来也没关系,不再说的愿望几秒以后不算数。"""
        if not self._wished:
            return
        with suppress(DatabaseError):
            owner = self._ledger.owner
            self._retrying(lambda: TokenWish.objects.withdraw(owner))

    def _finished(self) -> ShardState:
        if self._stop.is_set() and not self._cancelled:
            return self._finish.interrupted(why=self._turn.why if self._turn else None)
        if self._cancelled:
            self._finish.write(ShardState.CANCELLED)
            return ShardState.CANCELLED
        self._finish.write(ShardState.DONE, error=self._untold())
        # Each shard its own days: what another still writes to, it counts again.
        days = self._store.touched.days()
        recount_touched(days, at=self._now(), retrying=self._retrying)
        return ShardState.DONE

    def _untold(self) -> Message:
        """没有 Token 可用的市场:说一次。"""
        asked = self._serving
        return NoUsableToken(asked.why).message if asked.unserved else Message()

    def _load(self) -> None:
        """读出分成几片,以及以前做到哪里。"""
        of = self._retrying(self.run.shards.count)
        self._slice = Slice(self.shard.number, of)
        self.progress = self._resumed(self.shard.numbers)
        self._store.fetched.load(saved_numbers(self.shard.numbers).get("fetched"))
        self._done_before = _done(self.progress)

    def _parked(self, parked: Parked) -> ShardState:
        self._record.note(parked.why)
        if self.run.background or self.progress.calls:
            return self._finish.parked(parked)
        # Nothing was begun, and somebody is there to be told.
        error = NoUsableToken(parked.why)
        self._finish.write(ShardState.FAILED, error=error.message)
        raise error

    def work(self) -> None:
        """逐个市场取完要取的股票;次数用完了就等,然后从头看起。

        Raises NoUsableToken where none of what is wanted could be asked for.
        """
        self._retrying(self._begin)
        while not self._through_the_markets():
            self.progress = self._resumed(self._numbers())
        # Of several shards, others may have had more to do: the run's end tells.
        alone, nothing = self._slice.of == 1, not self.progress.stocks
        if self._serving.unserved and alone and nothing:
            raise NoUsableToken(self._serving.why)

    def _resumed(self, before: Any) -> Progress:
        if not before:
            return Progress()
        failed = failed_of(self.run, self._slice, retrying=self._retrying)
        return resumed(self.run.kind, before, failed=failed)

    def _begin(self) -> None:
        SyncRun.objects.active().filter(pk=self.run.pk).update(
            state=RunState.RUNNING,
            started_at=Coalesce("started_at", self._now()),
            waiting_until=None,
            error="",
        )

    def _through_the_markets(self) -> bool:
        """每个市场做一遍;半路上次数用完了,或者有历史要重新取,返回 False。

        A market without tokens does not keep the others from theirs: what to wait for
        is raised in the end.
        """
        waits: list[Parked | LeftToSiblings] = []
        limits = Limits(
            tokens_per_thread=settings.STOCK_SYNC_TOKENS_PER_THREAD,
            max_threads=settings.STOCK_SYNC_MAX_THREADS,
            queue_size=settings.STOCK_SYNC_QUEUE_SIZE,
        )
        self._serving = self._asked()
        for market in self._serving.served:
            if self._stop.is_set():
                break
            self._wished = True
            sharing = self._leasing.sharing(market, of=self._slice.of)
            tokens = self._tokens_for(market, sharing, waits)
            if tokens is None:
                continue
            if self._stop.is_set():
                self._give_back(tokens)  # asked to stop while they were leased
                break
            self._runner = self._made(
                market, tokens, sharing, limits, progress=self.progress
            )
            # Read only now: the run whose tokens we waited for has fetched meanwhile.
            self._runner.run(self._tasks(market))
            self._note_lanes()
            self._weigh_silence(market)
            self._believe(market)
            if self._runner.starved:
                return False
        if waits and not self._stop.is_set():
            raise soonest(waits)
        self._ask_new_tokens(limits)
        return self._stop.is_set() or not self._store.take_contradicted()

    def _weigh_silence(self, market: str) -> None:
        if self.run.kind != RunKind.RETRY:
            period, at = self.run.period, self._now()
            self._retrying(lambda: weigh_silence(market, period, at=at))

    def _ask_new_tokens(self, limits: Limits) -> None:
        """再问一遍没有够到的历史:别的分片的,或者半路才来的 Token 可能看得到。

        Of several shards the last one does it for all. Two that end at the same moment
        may leave it to each other; then the next run asks.
        """
        if self.run.kind == RunKind.RETRY:
            return
        markets: Iterable[str] = self._serving.served
        if self._slice.of > 1:
            siblings = self.run.shards.exclude(pk=self.shard.pk)
            if self._retrying(siblings.filter(state__in=UNFINISHED).exists):
                return
            markets = markets_of(self.run, retrying=self._retrying)
        for market in markets:
            while not self._stop.is_set() and self._sweep(market, limits):
                pass

    def _sweep(self, market: str, limits: Limits) -> bool:
        """只问没有够到的,股票已经数过;问过返回 True。"""
        older = self._retrying(lambda: OlderHistory(market, at=self._now(), due=False))
        tokens = self._retrying(lambda: older.promising(self.run.period))
        if not tokens:
            return False
        tasks = self._tasks(market, of=Slice())
        wanted = [task for task in tasks if task.unreached and task.windows]
        self._wished = True
        sharing = self._leasing.sharing(market, of=self._slice.of, among=tokens)
        leased: Sequence[LeasedToken] = ()
        # What may be nowhere is not worth waiting for.
        with suppress(NoUsableToken):
            calls = self.progress.calls
            leased = sharing.change(held=0, wanted=len(wanted), calls=calls).more
        if not leased:
            return False
        swept = Progress()
        self._runner = self._made(market, leased, sharing, limits, progress=swept)
        try:
            self._runner.run(wanted)
        finally:
            self.progress.include(swept)
        self._believe(market)
        return swept.calls > 0

    def _believe(self, market: str) -> None:
        """有些话说的时候还不能信:现在知道说的 Token 看得更远,可以信了。"""
        if self.run.kind == RunKind.RETRY or self._stop.is_set():
            return
        older = self._retrying(lambda: OlderHistory(market, at=self._now()))
        if parts := self._retrying(lambda: list(older.believed(self.run.period))):
            self._store.save(parts)

    def _asked(self) -> Serving:
        """哪些市场还有要取的,其中哪些有 Token 可用:问一次。"""
        wanted = [
            market
            for market in markets_of(self.run, retrying=self._retrying)
            if not self._stop.is_set() and not self._complete(market)
        ]
        # A retry has left the rows of these alone, and they are told of as well.
        left = self.run.unserved if self.run.kind == RunKind.RETRY else []
        asked = sorted({*wanted, *left})
        if not asked:
            return Serving()
        return self._retrying(lambda: serving(asked, at=self._now())).limited_to(wanted)

    def _made(
        self,
        market: str,
        tokens: Sequence[LeasedToken],
        sharing: TokenSharing,
        limits: Limits,
        *,
        progress: Progress,
    ) -> Runner:
        with ExitStack() as unless_it_is_made:
            unless_it_is_made.callback(self._give_back, tokens)
            runner = Runner(
                market,
                tokens,
                ports=self._ports(sharing),
                limits=limits,
                progress=progress,
                tuning=TUNING,
            )
            unless_it_is_made.pop_all()  # from here on it gives them back itself
        self._record.begins(market, runner.tokens_per_thread)
        return runner

    def _give_back(self, tokens: Sequence[LeasedToken]) -> None:
        TokenPool(tokens, ledger=self._ledger, clock=self._clock).release()

    def _ports(self, sharing: TokenSharing) -> Ports:
        return Ports(
            store=self._store,
            ledger=self._ledger,
            clock=self._clock,
            connect=self._connect,
            stop=self._stop,
            watch=self._show,
            sharing=sharing,
        )

    def _tasks(self, market: str, *, of: Slice | None = None) -> Iterator[Task]:
        return tasks_of(
            self.run,
            market,
            at=self._now(),
            of=of or self._slice,
            retrying=self._retrying,
        )

    def _beaten(self) -> Beat:
        """保存进度,续租 Token,看看有没有人要求取消。"""
        self._clock.set()
        at = self._now()
        SyncShard.objects.held(self.shard.pk, fence=self._store.fence).update(
            numbers=self._numbers(),
            waits=self._waits(),
            **self._record.work(self._runner, at=at),
        )
        numbers = self._run_numbers()
        SyncRun.objects.active().filter(pk=self.run.pk).update(
            heartbeat_at=at, **numbers
        )
        held = self._ledger.renew()
        wish = SyncRun.objects.values_list("cancel_requested_at", flat=True)
        self._cancelled = wish.get(pk=self.run.pk) is not None
        leave = self._turn is not None and self._turn.look(fruitful=self._is_fruitful())
        self._record.keep(numbers, alone=self._slice.of == 1, at=at)
        return Beat(LEASE.total_seconds() - MARGIN, held, self._cancelled, leave)

    def _is_fruitful(self) -> bool:
        """这一轮存下了什么,或者手里什么也没有。"""
        return bool(self._note) or _done(self.progress) > (self._done_before or 0)

    def _complete(self, market: str) -> bool:
        """判断这个市场是否已经齐全、不需要 Token;是的话把股票都算作跳过。

        Looked at before tokens are leased, so that a run which has nothing to fetch
        waits for none; the tasks are read again for the engine, after the wait, because
        what there is to fetch may have changed. It stops at the first that is missing.
        """
        if (stocks := complete(self._tasks(market))) is None:
            return False
        self.progress.skip(stocks)
        return True

    def _tokens_for(
        self, market: str, sharing: TokenSharing, waits: list[Parked | LeftToSiblings]
    ) -> Sequence[LeasedToken] | None:
        """能用于这个市场的 Token;None 表示没有或者以后再说,要等的记进 `waits`。"""
        try:
            return self._leasing.lease(
                market,
                sharing,
                wanted=calls_wanted(self._tasks(market), most=capacity()),
                calls=self.progress.calls,
            )
        except (Parked, LeftToSiblings) as wait:
            waits.append(wait)
            return None
        except NoUsableToken as error:
            # They have gone bad since the question was asked.
            self._serving = self._serving.without(market, why=error.why)
            return None
        finally:
            self._tell(Message())

    def _tell(self, why: Message) -> None:
        """在等什么;空的表示不等了。"""
        if why and self._note != why:
            logger.info("Run %d waits: %s", self.run.pk, why)
            self._record.note(why)
        self._note = why

    def _wait(self, why: Message) -> bool:
        self._tell(why)
        beat = self._store.beat(self.progress)
        if beat.cancelled or beat.leave:
            self._stop.set()
        self._show(self.progress)
        self._stop.wait(LOOK_AGAIN)
        return not self._stop.is_set()

    def _connect(self) -> ItickClient:
        return ItickClient(allowed_hosts=allowed_hosts())

    def _show(self, progress: Progress) -> None:
        try:
            self._watch(self.run, self._of_the_run or progress, self._waits())
        except Exception:  # an observer must not change what it observes
            logger.exception("The progress of run %d could not be shown", self.run.pk)

    def _waits(self) -> Message:
        """在等什么:别的运行的 Token,或者自己的 Token 都在休息。"""
        wait = self.progress.waits
        return self._note or (described(wait) if wait else Message())

    def _note_lanes(self) -> None:
        """记下用过的最多的通道:半路上可能多了起来。"""
        if self._runner:
            lanes = self._runner.tokens_per_thread
            self._threads = max(self._threads, lanes, key=len)

    def _numbers(self) -> Any:
        self._note_lanes()
        if self._done_before is None:
            return self.shard.numbers  # whatever was saved stays
        fetched = self._store.fetched.saved()
        return numbers_of(self.progress, self._threads, self._serving.unserved, fetched)

    def _run_numbers(self) -> dict[str, Any]:
        """运行的数字:有几个分片时加起来。"""
        if self._slice.of == 1:
            return totals([self._numbers()])
        numbers = totals(
            self.run.shards.order_by("number").values_list("numbers", flat=True)
        )
        self._of_the_run = Progress(**{name: numbers[name] for name in ADDED})
        return numbers


def _done(progress: Progress) -> int:
    return progress.succeeded + progress.failed + progress.klines
