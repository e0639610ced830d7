"""执行一次运行:抢占分片,做完一个,再帮还没有人接的。"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import count
from threading import Event

from django.db.utils import DatabaseError
from django.utils.translation import gettext as _

from sync.models import ShardState, SyncRun, SyncShard
from sync.models.shards import AWAY
from sync.storage.retrying import DatabaseRetry

from ..clock import SharedClock, moment
from ..errors import AlreadyRunning, Refused
from ..processes import this_process
from .execution import Execution, Watch
from .revive import wake
from .turns import WorkerTurn, waiting_for_a_worker

logger = logging.getLogger(__name__)


def execute(
    run: SyncRun,
    *,
    stop: Event,
    watch: Watch = lambda _run, _progress, _note: None,
    now: Callable[[], datetime] = moment,
) -> SyncRun:
    """在这个进程里执行一次运行里还没有人接的分片,一个接一个。

    `stop` asks it to stop; `watch` is told about once a second how far it is. Returns
    the run as it is then: usually it has ended. Raises NoUsableToken where no token can
    serve it, and whatever nobody has foreseen, after it has been marked as failed.
    """
    retrying = DatabaseRetry(stop=stop, clock=SharedClock(), limit=AWAY)
    shards = run.shards.order_by("number")
    queued = shards.filter(state=ShardState.QUEUED)
    shard = retrying(queued.first) or retrying(shards.first)
    assert shard is not None
    shard.run = run
    _work_on(shard, stop=stop, watch=watch, now=now, retrying=retrying)
    return run


def execute_shard(
    shard_id: int,
    *,
    stop: Event,
    watch: Watch = lambda _run, _progress, _note: None,
    now: Callable[[], datetime] = moment,
) -> SyncRun | None:
    """在集群的工作进程里执行一个分片,再执行别的运行等着的,和同一次运行里没有人接的。

    None where there is no such shard any more. Raises AlreadyRunning where another
    process was first.
    """
    retrying = DatabaseRetry(stop=stop, clock=SharedClock(), limit=AWAY)
    found = SyncShard.objects.select_related("run").filter(pk=shard_id)
    shard = retrying(found.first)
    if shard is None:
        return None
    run = shard.run
    _work_on(
        shard, stop=stop, watch=watch, now=now, retrying=retrying, shared=run.background
    )
    return run


@dataclass(frozen=True, slots=True)
class Worked:
    """一个分片此后的状态,没有抢到的为 None;还有答应了工作进程的别的运行的分片。"""

    state: ShardState | None
    promised: SyncShard | None = None


def _work_on(
    shard: SyncShard,
    *,
    stop: Event,
    watch: Watch,
    now: Callable[[], datetime],
    retrying: DatabaseRetry,
    shared: bool = False,
) -> None:
    """执行这个分片,再执行还没有人接的;`shard.run` 随之更新。

    A `shared` process is a worker of the cluster: before more of the same run it takes
    what other runs wait for.
    """
    work = partial(
        _claim_and_work,
        stop=stop,
        watch=watch,
        now=now,
        retrying=retrying,
        shared=shared,
    )
    own, worked = shard.run_id, work(shard)
    if worked.state is None:
        raise _not_ours(shard.run, retrying=retrying)
    while not stop.is_set():
        find = partial(_next, shard.run, worked, shared=shared, at=now())
        more = retrying(find)
        if more is None:
            break
        try:
            shard, worked = more, work(more)
        except Refused as error:
            if more.run_id == own:
                raise
            # Who waits for this call has not asked for that run, where it is written.
            logger.warning("%s was not executed: %s", more, error)
            break
    # Others may wait for the tokens that are free now; if not now, the reviver sees it.
    with suppress(DatabaseError):
        retrying(lambda: wake(at=now()))


def _next(
    run: SyncRun, worked: Worked, *, shared: bool, at: datetime
) -> SyncShard | None:
    """接下来做哪个分片:答应了的,别的运行等着的,同一次运行里排着队的。"""
    if worked.promised:
        return worked.promised
    if worked.state not in {ShardState.DONE, None}:
        return None
    if shared and (other := waiting_for_a_worker(besides=run.pk, at=at).first()):
        return other
    more = run.shards.filter(state=ShardState.QUEUED).order_by("number").first()
    if more:
        more.run = run
    return more


def _not_ours(run: SyncRun, *, retrying: DatabaseRetry) -> AlreadyRunning:
    retrying(run.refresh_from_db)
    if run.finished_at is not None:
        message = _("Run %(run)d has ended already: %(state)s.")
        return AlreadyRunning(
            message % {"run": run.pk, "state": run.get_state_display()}
        )
    return AlreadyRunning(_("%s is being worked on by another process.") % run)


def _claim_and_work(
    shard: SyncShard,
    *,
    stop: Event,
    watch: Watch,
    now: Callable[[], datetime],
    retrying: DatabaseRetry,
    shared: bool,
) -> Worked:
    """抢占并执行一个分片。"""
    fence = _claim(shard, retrying=retrying, now=now)
    if fence is None:
        return Worked(None)
    turn = WorkerTurn(shard, now=now) if shared else None
    execution = Execution(
        shard,
        fence=fence,
        stop=stop,
        watch=watch,
        now=now,
        retrying=retrying,
        turn=turn,
    )
    logger.info("%s started", shard, extra={"event": "run.started"})
    state = execution.run_to_end()
    return Worked(state, turn.waiter if turn else None)


def _claim(
    shard: SyncShard, *, retrying: DatabaseRetry, now: Callable[[], datetime]
) -> int | None:
    """抢占分片,返回 fence;已经抢到而没有听到回答的也算。"""
    shards, process, attempts = SyncShard.objects, this_process(), count()

    def claim() -> int | None:
        SharedClock().set()
        again = next(attempts) > 0
        if fence := shards.claim(shard, process=process, at=now()):
            return fence
        ours = shards.held(shard.pk, fence=shard.fence + 1).filter(process=process)
        return shard.fence + 1 if again and ours.exists() else None

    return retrying(claim)
