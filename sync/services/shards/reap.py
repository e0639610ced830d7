"""收拾已经死掉的进程留下的分片。"""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from common.messages import Message
from sync.models import ShardState, SyncShard
from sync.models.shards import SILENT
from tokens.models import ApiToken, TokenWish

from ..processes import is_gone
from .states import locked, update_run

logger = logging.getLogger(__name__)


def reap(*, at: datetime) -> list[int]:
    """把没有人在执行的分片标记为中断,返回它们的运行的编号。

    Dead is a shard whose process is known to be gone from this host, or which has had
    no heartbeat for SILENT: a machine that is dead looks from here like one whose
    database is away. What its process may have called stays counted with its tokens.
    Its run is interrupted once no other shard is at work. Safe to call at any time and
    from several places at once.
    """
    interrupted = []
    active = Q(state=ShardState.RUNNING) | Q(state=ShardState.QUEUED) & ~Q(process="")
    for shard in SyncShard.objects.filter(active):
        silent = shard.heartbeat_at + SILENT <= at
        if (silent or is_gone(shard.process)) and _interrupt(shard, at=at):
            interrupted.append(shard.run_id)
    return interrupted


def _interrupt(shard: SyncShard, *, at: datetime) -> bool:
    # A higher fence, so that the process finds itself out should it still be alive.
    # One transaction: a run whose shard has ended would never be reaped again.
    with transaction.atomic():
        run = locked(shard.run_id)
        if not SyncShard.objects.seen(shard).update(
            state=ShardState.INTERRUPTED,
            fence=shard.fence + 1,
            error=Message("The process that worked on it has died."),
        ):
            return False
        owner = shard.owner(shard.fence)
        ApiToken.objects.lapse(owner=owner, at=at)
        # The dead want nothing: nobody is to leave tokens for them.
        TokenWish.objects.withdraw(owner)
        update_run(run, at=at)
    logger.warning(
        "%s was interrupted: its process has died",
        shard,
        extra={"event": "run.interrupted", "run": shard.run_id},
    )
    return True
