"""后台的运行:进程死了重新开始,任务丢了再按一次门铃。

A run in the background has nobody who waits for it, so what its process leaves behind
is put back into the queue: coverage makes that cheap. Every step is compare-and-swap,
so any number of machines may do this at once.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from django.db import IntegrityError, transaction
from django_q.brokers import get_broker

from ..models import RunKind, RunState, ShardState, SyncRun, SyncShard
from .doorbell import ring
from .recovery import reap
from .requests import SyncRequest

logger = logging.getLogger(__name__)

ATTEMPTS = 3
# So long nobody has taken a run whose job was sent.
UNHEARD = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Revived:
    """做了什么:各是运行的编号。"""

    interrupted: list[int] = field(default_factory=list)
    restarted: list[int] = field(default_factory=list)
    given_up: list[int] = field(default_factory=list)
    rung: list[int] = field(default_factory=list)


def revive(*, at: datetime) -> Revived:
    """收拾死掉的运行,后台的重新排队;中断了 ATTEMPTS 次的算失败。

    A run that somebody waits for, or has asked to cancel, stays interrupted.
    """
    done = Revived(interrupted=reap(at=at))
    dead = SyncShard.objects.filter(
        run__state=RunState.INTERRUPTED,
        run__background=True,
        run__cancel_requested_at=None,
    )
    for shard in dead.select_related("run"):
        if shard.attempts >= ATTEMPTS:
            if _give_up(shard):
                done.given_up.append(shard.run_id)
        elif _restart(shard, at=at):
            done.restarted.append(shard.run_id)
    done.rung.extend(_ring_again(at=at))
    return done


def _restart(shard: SyncShard, *, at: datetime) -> bool:
    try:
        with transaction.atomic():
            if not _requeued(shard, at=at):
                return False
            transaction.on_commit(partial(ring, shard.run_id))
    except IntegrityError:
        _settle(
            shard.run,
            state=RunState.CANCELLED,
            error="Interrupted; the same request has been started again since.",
        )
        return False
    logger.warning(
        "Run %d was interrupted and is queued again",
        shard.run_id,
        extra={"event": "run.restarted", "run": shard.run_id},
    )
    return True


def _requeued(shard: SyncShard, *, at: datetime) -> bool:
    """在调用者的事务里;IntegrityError 表示同样的请求正在运行。"""
    seen = SyncShard.objects.filter(pk=shard.pk, fence=shard.fence, state=shard.state)
    if not seen.update(
        state=ShardState.QUEUED, process="", heartbeat_at=at, leased_until=at
    ):
        return False
    interrupted = SyncRun.objects.filter(
        pk=shard.run_id, state=RunState.INTERRUPTED, cancel_requested_at=None
    )
    changed = interrupted.update(
        state=RunState.QUEUED,
        request_key=_request_key(shard.run),
        error="",
        finished_at=None,
        heartbeat_at=at,
    )
    if not changed:
        transaction.set_rollback(True)
    return bool(changed)


def _request_key(run: SyncRun) -> str | None:
    if run.kind == RunKind.RETRY:
        return None
    return SyncRequest(
        start=run.window.start,
        end=run.window.end,
        markets=tuple(run.markets),
        codes=tuple(run.codes),
        period=run.period,
    ).key


def _give_up(shard: SyncShard) -> bool:
    error = (
        f"Interrupted {shard.attempts} times and given up. What was fetched is stored: "
        "find out what kills its process, then start it again."
    )
    given_up = _settle(shard.run, state=RunState.FAILED, error=error)
    if given_up:
        logger.error(
            "Run %d was interrupted %d times and is given up",
            shard.run_id,
            shard.attempts,
            extra={"event": "run.given_up", "run": shard.run_id},
        )
    return given_up


def _settle(run: SyncRun, *, state: RunState, error: str) -> bool:
    interrupted = SyncRun.objects.filter(pk=run.pk, state=RunState.INTERRUPTED)
    return bool(interrupted.update(state=state, error=error))


def _ring_again(*, at: datetime) -> list[int]:
    """没有人来接的运行再按一次门铃。

    Not while jobs lie in the queue that nobody has taken: then the workers are behind,
    or there are none, and another job would help neither.
    """
    late = SyncShard.objects.filter(
        state=ShardState.QUEUED,
        run__state=RunState.QUEUED,
        run__background=True,
        heartbeat_at__lte=at - UNHEARD,
    )
    rung: list[int] = []
    if not late.exists() or get_broker().queue_size():
        return rung
    for shard in late:
        seen = SyncShard.objects.filter(
            pk=shard.pk,
            fence=shard.fence,
            state=ShardState.QUEUED,
            heartbeat_at=shard.heartbeat_at,
        )
        if seen.update(heartbeat_at=at):
            rung.append(shard.run_id)
    for run_id in rung:
        ring(run_id)
        logger.warning(
            "Nobody has taken run %d: its job is sent again",
            run_id,
            extra={"event": "run.rung_again", "run": run_id},
        )
    return rung
