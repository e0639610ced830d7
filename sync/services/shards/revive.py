"""后台的运行:进程死了重新排队,有 Token 了继续,任务丢了再发一次。

A run in the background has nobody who waits for it, so what its process leaves behind
is put back into the queue: coverage makes that cheap. Every step is compare-and-swap,
so any number of machines may do this at once.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django_q.brokers import get_broker

from common.messages import Message
from sync.models import RunState, ShardState, SyncRun, SyncShard
from sync.models.runs import ACTIVE
from sync.models.shards import ATTEMPTS
from tokens.models import ApiToken

from ..tokens.serving import PROVIDER
from .jobs import enqueue, enqueue_after_commit
from .reap import reap
from .states import locked, update_run

logger = logging.getLogger(__name__)

# So long nobody has taken a shard whose job was sent.
UNHEARD = timedelta(minutes=5)
# A shard that has just stopped to wait has seen what tokens there are.
FRESH = timedelta(seconds=30)
# A run in one of these has shards that may be queued again.
GOES_ON = (*ACTIVE, RunState.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class Revived:
    """做了什么:各是运行的编号。"""

    interrupted: list[int] = field(default_factory=list)
    restarted: list[int] = field(default_factory=list)
    given_up: list[int] = field(default_factory=list)
    woken: list[int] = field(default_factory=list)
    enqueued: list[int] = field(default_factory=list)


def revive(*, at: datetime) -> Revived:
    """把死掉的分片重新排队,叫醒等到了 Token 的,没有人来接的再发一次任务。"""
    done = recover(at=at)
    done.enqueued.extend(_enqueue_again(at=at))
    return done


def recover(*, at: datetime) -> Revived:
    """收拾死掉的分片,后台的重新排队;执行了 ATTEMPTS 次的放在一边;叫醒等到了的。

    A run that somebody waits for, or has asked to cancel, stays interrupted. Needs no
    broker.
    """
    done = Revived(interrupted=reap(at=at))
    dead = SyncShard.objects.filter(
        state=ShardState.INTERRUPTED,
        run__state__in=GOES_ON,
        run__background=True,
        run__cancel_requested_at=None,
    )
    # Those that may go on first: a run ends with a poison shard only as the last one.
    for shard in dead.select_related("run").order_by("attempts", "pk"):
        if shard.attempts >= ATTEMPTS:
            if _give_up(shard, at=at):
                done.given_up.append(shard.run_id)
        elif _restart(shard, at=at):
            done.restarted.append(shard.run_id)
    done.woken.extend(wake(at=at))
    return done


def wake(*, at: datetime) -> list[int]:
    """等 Token 的分片:到时候了,或者有了 Token,就重新排队;返回运行的编号。"""
    waiting = SyncShard.objects.filter(state=ShardState.WAITING)
    early = waiting.filter(resume_at__gt=at, heartbeat_at__lte=at - FRESH)
    due = [
        *waiting.filter(resume_at__lte=at).select_related("run"),
        *(shard for shard in early.select_related("run") if _has_tokens(shard, at=at)),
    ]
    return [shard.run_id for shard in due if _wake(shard, at=at)]


def _has_tokens(shard: SyncShard, *, at: datetime) -> bool:
    tokens = ApiToken.objects.available(PROVIDER, at=at).awake(by=at)
    return tokens.serving(shard.waits_for.split(",")).exists()


def _wake(shard: SyncShard, *, at: datetime) -> bool:
    with transaction.atomic():
        run = locked(shard.run_id)
        if not SyncShard.objects.seen(shard).update(
            state=ShardState.QUEUED, error="", resume_at=None, heartbeat_at=at
        ):
            return False
        SyncRun.objects.filter(pk=run.pk, state=RunState.WAITING).update(
            state=RunState.QUEUED, waiting_until=None, error=""
        )
        enqueue_after_commit(shard)
    logger.info("%s goes on", shard, extra={"event": "run.woken", "run": run.pk})
    return True


def _restart(shard: SyncShard, *, at: datetime) -> bool:
    try:
        with transaction.atomic():
            if not _requeued(shard, at=at):
                return False
            enqueue_after_commit(shard)
    except IntegrityError:
        _end_interrupted(
            shard.run,
            state=RunState.CANCELLED,
            error=Message(
                "Interrupted; the same request has been started again since."
            ),
        )
        return False
    logger.warning(
        "%s was interrupted and is queued again",
        shard,
        extra={"event": "run.restarted", "run": shard.run_id},
    )
    return True


def _requeued(shard: SyncShard, *, at: datetime) -> bool:
    """在调用者的事务里;IntegrityError 表示同样的请求正在运行。"""
    run = locked(shard.run_id)
    # It may have ended since it was looked at, by another shard's misfortune too.
    if run.cancel_requested_at or run.state not in GOES_ON:
        return False
    if not SyncShard.objects.seen(shard).update(
        state=ShardState.QUEUED,
        process="",
        error="",
        waits="",
        heartbeat_at=at,
        leased_until=at,
    ):
        return False
    again = {"state": RunState.QUEUED, "error": "", "heartbeat_at": at}
    if run.state == RunState.INTERRUPTED:
        again |= {"request_key": run.wanted_key, "finished_at": None}
    if run.state != RunState.RUNNING:
        SyncRun.objects.filter(pk=run.pk).update(**again)
    return True


def _give_up(shard: SyncShard, *, at: datetime) -> bool:
    error = Message(
        "Interrupted %(attempts)d times and given up. What was fetched is stored: find "
        "out what kills its process, then start it again.",
        attempts=shard.attempts,
    )
    with transaction.atomic():
        run = locked(shard.run_id)
        aside = {"state": ShardState.FAILED, "error": error}
        if not SyncShard.objects.seen(shard).update(**aside):
            return False
        update_run(run, at=at)
        _end_interrupted(run, state=RunState.FAILED, error=error)
    logger.error(
        "%s was interrupted %d times and is given up",
        *(shard, shard.attempts),
        extra={"event": "run.given_up", "run": shard.run_id},
    )
    return True


def _end_interrupted(run: SyncRun, *, state: RunState, error: str) -> bool:
    interrupted = SyncRun.objects.filter(pk=run.pk, state=RunState.INTERRUPTED)
    return bool(interrupted.update(state=state, error=error))


def _enqueue_again(*, at: datetime) -> list[int]:
    """再发一次任务给没有人来接的分片。

    Not while jobs lie in the queue that nobody has taken: then the workers are behind,
    or there are none, and another job would help neither.
    """
    late = SyncShard.objects.filter(
        state=ShardState.QUEUED,
        run__state__in=ACTIVE,
        run__background=True,
        heartbeat_at__lte=at - UNHEARD,
    )
    if not late.exists() or get_broker().queue_size():
        return []
    return [shard.run_id for shard in late if _enqueue_once(shard, at=at)]


def _enqueue_once(shard: SyncShard, *, at: datetime) -> bool:
    if not SyncShard.objects.seen(shard).update(heartbeat_at=at):
        return False
    enqueue(shard)
    logger.warning(
        "Nobody has taken %s: its job is sent again",
        shard,
        extra={"event": "run.enqueued_again", "run": shard.run_id},
    )
    return True
