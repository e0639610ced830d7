"""陪着一次运行直到它结束:没有人接的分片自己做,别人在做的看着。"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from threading import Event

from sync.engine.ports import Progress
from sync.models import RunState, ShardState, SyncRun
from sync.storage.retrying import DatabaseRetry

from ..clock import SharedClock, moment
from ..errors import AlreadyRunning, NoUsableToken, Refused
from ..shards.claim import execute
from ..shards.execution import Watch
from ..shards.revive import recover
from ..shards.states import ADDED
from .cancel import cancel

LOOK_AGAIN = 1.0  # seconds between two looks at what the others do
# So many looks after a stop: others have ended by then, or their machine is dead.
LAST_LOOKS = 4
RECOVER = 10.0  # seconds between two looks for the dead
AT_WORK = (RunState.QUEUED, RunState.RUNNING)


def follow(
    run: SyncRun,
    *,
    stop: Event,
    watch: Watch,
    now: Callable[[], datetime] = moment,
) -> SyncRun:
    """执行一次运行并等到它结束;分片有几个时,别的进程也可以一起做。

    `stop` stops the whole run: one with several shards is cancelled for the others as
    well, which are not waited for longer than a few seconds. Otherwise as `execute`. A
    run that waits for quota is not waited for.
    """
    clock = SharedClock()
    retrying = DatabaseRetry(stop=stop, clock=clock)
    if retrying(run.shards.count) == 1:
        return execute(run, stop=stop, watch=watch, now=now)
    queued = run.shards.filter(state=ShardState.QUEUED)
    recovered_at, looks = clock.now(), LAST_LOOKS
    while run.state in AT_WORK:
        if stop.is_set():
            retrying(lambda: _cancel(run, at=now()))
            looks -= 1
        elif retrying(queued.exists):
            # Somebody else was quicker, or there is no token: that fails a shard and
            # not yet the run.
            with suppress(AlreadyRunning, NoUsableToken):
                execute(run, stop=stop, watch=watch, now=now)
        if clock.now() - recovered_at >= RECOVER:
            recovered_at = clock.now()
            retrying(lambda: _recover(now))
        retrying(run.refresh_from_db)
        if not looks and run.state in AT_WORK:
            run.state = RunState.CANCELLED  # for who looks at it now
        _look(run, stop=stop, watch=watch)
    return run


def _recover(now: Callable[[], datetime]) -> None:
    SharedClock().set()
    recover(at=now())


def _look(run: SyncRun, *, stop: Event, watch: Watch) -> None:
    """让人看看到哪里了;还没有结束就等一会儿。"""
    watch(run, Progress(**{name: getattr(run, name) for name in ADDED}), "")
    if run.state in AT_WORK:
        # Set already, it would not wait: others need a moment to stop.
        (Event() if stop.is_set() else stop).wait(LOOK_AGAIN)


def _cancel(run: SyncRun, *, at: datetime) -> None:
    with suppress(Refused):  # it has ended meanwhile
        cancel(run.pk, at=at)
