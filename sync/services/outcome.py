"""一个分片结束或停下来以后:它的状态,以及由全部分片得出的运行的状态。

Every change locks the run's row first. So of two shards that end at the same moment
the second sees the first, and one of them ends the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import transaction

from ..engine.ports import Progress
from ..models import RunKind, RunState, ShardState, SyncRun, SyncShard
from ..models.runs import ERROR_LENGTH

ADDED = ("stocks", "succeeded", "failed", "skipped", "klines", "dropped", "calls")
AT_WORK = {ShardState.QUEUED, ShardState.RUNNING}
# What one shard has come to the whole run has come to, the first that applies.
WORST = {
    ShardState.CANCELLED: RunState.CANCELLED,
    ShardState.INTERRUPTED: RunState.INTERRUPTED,
    ShardState.FAILED: RunState.FAILED,
}


def settle_shard(
    shard: SyncShard, *, fence: int, state: ShardState, at: datetime, **columns: Any
) -> bool:
    """写下归这个 fence 所有的分片的新状态,和由此得出的运行的;已被接管时返回 False。"""
    with transaction.atomic():
        run = locked(shard.run_id)
        held = SyncShard.objects.held(shard.pk, fence=fence)
        if not held.update(state=state, heartbeat_at=at, leased_until=at, **columns):
            return False
        settle_run(run, at=at)
        return True


def locked(run_id: int) -> SyncRun:
    """锁住运行的行,在调用者的事务里。"""
    return SyncRun.objects.select_for_update().get(pk=run_id)


def settle_run(run: SyncRun, *, at: datetime) -> None:
    """由分片得出运行的状态和数字;在锁住了运行的事务里。

    While a shard is at work or in the queue the run goes on; then it waits, where one
    waits for quota; then it has ended.
    """
    shards = list(run.shards.order_by("number"))
    states = {ShardState(shard.state) for shard in shards}
    numbers = totals(shard.numbers for shard in shards)
    active = SyncRun.objects.active().filter(pk=run.pk)
    error = next((shard.error for shard in shards if shard.error), "")
    if states & AT_WORK:
        at_work = ShardState.RUNNING in states
        state = RunState.RUNNING if at_work else RunState.QUEUED
        active.update(state=state, **numbers)
    elif ShardState.WAITING in states:
        until = min(shard.resume_at for shard in shards if shard.resume_at)
        active.update(
            state=RunState.WAITING,
            waiting_until=until,
            error=error[:ERROR_LENGTH],
            background=True,
            **numbers,
        )
    else:
        state = _final(states, numbers)
        SyncRun.objects.end(run.pk, state=state, error=error, at=at, **numbers)


def _final(states: set[ShardState], numbers: dict[str, Any]) -> RunState:
    for shard_state, run_state in WORST.items():
        if shard_state in states:
            return run_state
    if not numbers["failed"]:
        return RunState.SUCCEEDED
    some = numbers["succeeded"] + numbers["skipped"]
    return RunState.PARTIAL if some else RunState.FAILED


def totals(shards: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """各分片的数字加起来:运行的各列。"""
    given = [numbers for numbers in shards if numbers]
    lanes = [count for numbers in given for count in numbers["tokens_per_thread"]]
    reasons: dict[str, int] = {}
    for numbers in given:
        for reason, count in numbers["reasons"].items():
            reasons[reason] = reasons.get(reason, 0) + count
    return {
        **{name: sum(numbers[name] for numbers in given) for name in ADDED},
        "reasons": reasons,
        "threads": len(lanes),
        "tokens_per_thread": lanes,
    }


def numbers_of(progress: Progress, lanes: Sequence[int]) -> dict[str, Any]:
    """一个分片的数字,存进它的行。"""
    return {**asdict(progress), "tokens_per_thread": list(lanes)}


def resumed(kind: str, before: dict[str, Any]) -> Progress:
    """接着以前的数字做:以前成功的还会再遇到一次,不过已经齐全。

    A retry does not meet them again: their rows are settled.
    """
    if not before:
        return Progress()
    done = {name: before[name] for name in ("succeeded", "klines", "dropped", "calls")}
    again = 0 if kind == RunKind.RETRY else done["succeeded"]
    return Progress(stocks=done["succeeded"], again=again, **done)
