"""收拾已经死掉的进程留下的运行。"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from tokens.models import ApiToken

from ..models import RunState, ShardState, SyncRun, SyncShard
from ..models.runs import LEASE
from ..patience import AWAY
from .processes import is_gone

logger = logging.getLogger(__name__)

# A process that lives may be silent for as long as it waits for the database.
SILENT = LEASE + timedelta(seconds=AWAY)


def reap(*, at: datetime) -> list[int]:
    """把没有人在执行的运行标记为中断,返回它们的编号。

    Dead is a shard whose process is known to be gone from this host, or which has had
    no heartbeat for SILENT: a machine that is dead looks from here like one whose
    database is away. What its process may have called stays counted with its tokens.
    Safe to call at any time and from several places at once.
    """
    interrupted = []
    active = Q(state=ShardState.RUNNING) | Q(state=ShardState.QUEUED) & ~Q(process="")
    for shard in SyncShard.objects.filter(active):
        silent = shard.heartbeat_at + SILENT <= at
        if (silent or is_gone(shard.process)) and _interrupt(shard, at=at):
            interrupted.append(shard.run_id)
    return interrupted


def _interrupt(shard: SyncShard, *, at: datetime) -> bool:
    seen = SyncShard.objects.filter(
        pk=shard.pk,
        fence=shard.fence,
        state=shard.state,
        heartbeat_at=shard.heartbeat_at,
    )
    # A higher fence, so that the process finds itself out should it still be alive.
    # One transaction: a run whose shard has ended would never be reaped again.
    with transaction.atomic():
        if not seen.update(state=ShardState.INTERRUPTED, fence=shard.fence + 1):
            return False
        ApiToken.objects.lapse(owner=shard.owner(shard.fence), at=at)
        SyncRun.objects.end(
            shard.run_id,
            state=RunState.INTERRUPTED,
            error="The process that worked on it has died.",
            at=at,
        )
    logger.warning(
        "Run %d was interrupted: its process has died",
        shard.run_id,
        extra={"event": "run.interrupted", "run": shard.run_id},
    )
    return True
