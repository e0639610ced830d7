"""存下一次运行和它的分片,交给任务队列。"""

from __future__ import annotations

from datetime import datetime

from sync.models import SyncRun, SyncShard

from ..processes import this_process
from .cut import WHOLE, Cut
from .jobs import enqueue_after_commit


def register(
    run: SyncRun, *, at: datetime, background: bool, cut: Cut = WHOLE
) -> SyncRun:
    """存下一次运行和它的分片,在调用者的事务里;后台的交给任务队列。

    A run that waits for a job has no process yet. The jobs are sent once the
    transaction is over, so that they find what they are about.
    """
    run.created_at = run.heartbeat_at = at
    run.background = background
    run.shares = cut.shares
    run.save(force_insert=True)
    for number in range(cut.shards):
        shard = SyncShard.objects.create(
            run=run,
            number=number,
            process="" if background else this_process(),
            heartbeat_at=at,
            leased_until=at,
        )
        if background:
            # A broker that is away is no reason to refuse: the reviver rings again.
            enqueue_after_commit(shard)
    return run
