"""一个分片结束或停下来以后:它的状态,以及由全部分片得出的运行的状态。

Every change locks the run's row first. So of two shards that end at the same moment
the second sees the first, and one of them ends the run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import transaction

from common.messages import Message
from sync.engine.ports import Progress
from sync.models import Finished, RunKind, RunState, ShardState, SyncRun, SyncShard
from sync.models.fetched import merged

ADDED = ("stocks", "succeeded", "failed", "skipped", "klines", "dropped", "calls")
AT_WORK = {ShardState.QUEUED, ShardState.RUNNING}
GOES_ON = {ShardState.QUEUED, ShardState.WAITING}
# What one shard has come to the whole run has come to, the first that applies.
WORST = {
    ShardState.CANCELLED: RunState.CANCELLED,
    ShardState.INTERRUPTED: RunState.INTERRUPTED,
    ShardState.FAILED: RunState.FAILED,
}


def set_shard_state(
    shard: SyncShard, *, fence: int, state: ShardState, at: datetime, **columns: Any
) -> bool:
    """写下归这个 fence 所有的分片的新状态,和由此得出的运行的;已被接管时返回 False。

    One that is to be cancelled does not go on later: whoever cancelled it has found it
    at work and looks no more.
    """
    with transaction.atomic():
        run = locked(shard.run_id)
        if run.cancel_requested_at and state in GOES_ON:
            state, columns = ShardState.CANCELLED, columns | {"error": ""}
        held = SyncShard.objects.held(shard.pk, fence=fence)
        if not held.update(state=state, heartbeat_at=at, leased_until=at, **columns):
            return False
        update_run(run, at=at)
        return True


def locked(run_id: int) -> SyncRun:
    """锁住并返回运行的行,在调用者的事务里。"""
    return SyncRun.objects.select_for_update().get(pk=run_id)


def update_run(run: SyncRun, *, at: datetime) -> None:
    """由全部分片得出运行的状态和数字,并写下;在锁住了运行的事务里调用。

    While a shard is at work or in the queue the run goes on; then it waits, where one
    waits for quota; then it has ended.
    """
    shards = list(run.shards.order_by("number"))
    states = {ShardState(shard.state) for shard in shards}
    numbers = totals(shard.numbers for shard in shards)
    active = SyncRun.objects.active().filter(pk=run.pk)
    error = next((shard.error for shard in shards if shard.error), Message())
    if states & AT_WORK:
        at_work = ShardState.RUNNING in states
        state = RunState.RUNNING if at_work else RunState.QUEUED
        active.update(state=state, **numbers)
    elif ShardState.WAITING in states:
        until = min(shard.resume_at for shard in shards if shard.resume_at)
        active.update(
            state=RunState.WAITING,
            waiting_until=until,
            error=error,
            background=True,
            **numbers,
        )
    else:
        state = _final(states, numbers)
        if state != RunState.INTERRUPTED:  # which may be taken up again
            Finished.objects.of(run.pk).delete()
        SyncRun.objects.end(run.pk, state=state, error=error, at=at, **numbers)


def _final(states: set[ShardState], numbers: dict[str, Any]) -> RunState:
    for shard_state, run_state in WORST.items():
        if shard_state in states:
            return run_state
    return ended_state(
        stocks=numbers["stocks"],
        good=numbers["succeeded"] + numbers["skipped"],
        failed=numbers["failed"],
        unserved=numbers["unserved"],
    )


def ended_state(
    *, stocks: int, good: int, failed: int, unserved: Sequence[str]
) -> RunState:
    """决定一次没有被打断的运行怎样结束。

    `stocks` were met in the markets that tokens serve, `good` of them are complete.
    Where nothing could be done for want of a token the run has failed; where other
    markets were done it is partial, and the stocks of the rest are the next run's.
    """
    if not failed and not unserved:
        return RunState.SUCCEEDED
    return RunState.PARTIAL if good or (unserved and stocks) else RunState.FAILED


def saved_numbers(saved: Any) -> dict[str, Any]:
    """读出存着的数字里看得懂的那些。

    What another version or a person has written there must keep no shard from going
    on, nor from ending.
    """
    if not isinstance(saved, dict):
        return {}
    numbers = {name: saved[name] for name in ADDED if _is_count(saved.get(name))}
    reasons, lanes, unserved = map(
        saved.get, ("reasons", "tokens_per_thread", "unserved")
    )
    if "fetched" in saved:
        numbers["fetched"] = saved["fetched"]  # it reads what it can itself
    if isinstance(reasons, dict):
        counted = {name: count for name, count in reasons.items() if _is_count(count)}
        numbers["reasons"] = counted
    if isinstance(lanes, list):
        numbers["tokens_per_thread"] = [count for count in lanes if _is_count(count)]
    if isinstance(unserved, list):
        numbers["unserved"] = [one for one in unserved if isinstance(one, str)]
    return numbers


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def totals(shards: Iterable[Any]) -> dict[str, Any]:
    """把各分片的数字加起来,返回运行的各列。

    Numbers that an older version has saved may lack some.
    """
    given = [saved_numbers(saved) for saved in shards]
    lanes = [
        count for numbers in given for count in numbers.get("tokens_per_thread", ())
    ]
    reasons: Counter[str] = Counter()
    for numbers in given:
        reasons.update(numbers.get("reasons", {}))
    return {
        **{name: sum(numbers.get(name, 0) for numbers in given) for name in ADDED},
        "reasons": dict(reasons),
        "unserved": sorted({one for row in given for one in row.get("unserved", ())}),
        "fetched": merged(numbers.get("fetched") for numbers in given),
        "threads": len(lanes),
        "tokens_per_thread": lanes,
    }


def numbers_of(
    progress: Progress,
    lanes: Sequence[int],
    unserved: Sequence[str],
    fetched: dict[str, Any],
) -> dict[str, Any]:
    """把进度变成存进分片的行里的数字。"""
    told = {"tokens_per_thread": list(lanes), "unserved": list(unserved)}
    numbers = {**asdict(progress), **told, "fetched": fetched}
    del numbers["waits"]  # which is over by the time that anybody goes on
    return numbers


def resumed(kind: str, saved: Any, *, failed: dict[str, int]) -> Progress:
    """从以前的数字得出接着做时的进度;以前做完的股票还会遇到一次,已没有要取的。

    `failed` are the stocks that are not tried again, by reason. A retry does not meet
    any of them again: their rows are settled or left out. What an
    older version has not saved counts from here.
    """
    kept = ("succeeded", "klines", "dropped", "calls")
    before = saved_numbers(saved)
    done = {name: before.get(name, 0) for name in kept}
    done["failed"] = sum(failed.values())
    stocks = done["succeeded"] + done["failed"]
    again = 0 if kind == RunKind.RETRY else stocks
    return Progress(stocks=stocks, again=again, reasons=dict(failed), **done)
