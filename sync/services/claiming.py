"""执行一次运行:抢占分片,做完一个,再帮还没有人接的。"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from threading import Event

from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from ..models import RunState, ShardState, SyncRun, SyncShard
from .errors import AlreadyRunning
from .execution import Execution, Watch
from .processes import this_process
from .reviving import wake

logger = logging.getLogger(__name__)


def execute(
    run: SyncRun,
    *,
    stop: Event,
    watch: Watch = lambda _run, _progress, _note: None,
    now: Callable[[], datetime] = timezone.now,
) -> SyncRun:
    """在这个进程里执行一次运行里还没有人接的分片,一个接一个。

    `stop` asks it to stop; `watch` is told about once a second how far it is. Returns
    the run as it is then: usually it has ended. Raises NoUsableToken where no token can
    serve it, and whatever nobody has foreseen, after it has been marked as failed.
    """
    first = run.shards.order_by("number").filter(state=ShardState.QUEUED).first()
    shard = first or run.shards.order_by("number")[0]
    return execute_shard(shard, stop=stop, watch=watch, now=now)


def execute_shard(
    shard: SyncShard,
    *,
    stop: Event,
    watch: Watch = lambda _run, _progress, _note: None,
    now: Callable[[], datetime] = timezone.now,
) -> SyncRun:
    """执行一个分片,然后帮同一次运行里还没有人接的;其余和 `execute` 一样。

    Raises AlreadyRunning where another process was first.
    """
    run = shard.run
    ended = _claim_and_work(shard, stop=stop, watch=watch, now=now)
    if ended is None:
        said = _("%s is being worked on by another process.")
        raise AlreadyRunning(said % run)
    while ended in {ShardState.DONE, None} and not stop.is_set():
        more = run.shards.filter(state=ShardState.QUEUED).order_by("number").first()
        if more is None:
            break
        ended = _claim_and_work(more, stop=stop, watch=watch, now=now)
    # Others may wait for the tokens that are free now.
    wake(at=now())
    run.refresh_from_db()
    return run


def _claim_and_work(
    shard: SyncShard, *, stop: Event, watch: Watch, now: Callable[[], datetime]
) -> ShardState | None:
    """抢占并执行一个分片,返回它此后的状态;抢不到返回 None。"""
    fence = SyncShard.objects.claim(shard, process=this_process(), at=now())
    if fence is None:
        return None
    shard.refresh_from_db()
    SyncRun.objects.active().filter(pk=shard.run_id).update(
        state=RunState.RUNNING,
        started_at=Coalesce("started_at", now()),
        waiting_until=None,
        error="",
    )
    logger.info("%s started", shard, extra={"event": "run.started"})
    return Execution(shard, fence=fence, stop=stop, watch=watch, now=now).run_to_end()
