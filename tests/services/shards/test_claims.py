"""抢占分片、心跳和运行的结束:都是比较并交换。"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from sync.models import RunState, SyncRun, SyncShard
from sync.models.shards import LEASE, SILENT, SyncShardQuerySet
from tests.racing import at_once
from tests.rows import AT, SECOND, queued_shard, run, running_shard


def claim(shard: SyncShard, process: str = "here:1:1", **at: Any) -> int | None:
    return SyncShard.objects.claim(shard, process=process, **{"at": AT, **at})


@pytest.mark.django_db
def test_a_queued_shard_is_claimed() -> None:
    shard = queued_shard()

    assert claim(shard, "here:7:9", at=AT + SECOND) == 1

    stored = SyncShard.objects.get()
    assert (stored.state, stored.fence, stored.attempts) == ("running", 1, 1)
    assert (stored.process, stored.heartbeat_at) == ("here:7:9", AT + SECOND)
    assert stored.leased_until == AT + SECOND + LEASE


@pytest.mark.django_db
def test_a_shard_that_has_been_silent_too_long_is_claimed_anew() -> None:
    shard = running_shard()

    # Its process may be waiting for the database.
    assert claim(shard, at=AT + SILENT - SECOND) is None
    assert claim(shard, at=AT + SILENT) == 2

    assert SyncShard.objects.get().attempts == 2


@pytest.mark.django_db
@pytest.mark.parametrize("change", [{"state": "done"}, {"state": "interrupted"}, {}])
def test_a_shard_that_is_ended_or_held_is_not_claimed(change: dict[str, Any]) -> None:
    shard = running_shard()
    SyncShard.objects.update(**change or {"heartbeat_at": AT + SECOND})

    assert claim(shard, at=AT + SILENT) is None

    assert SyncShard.objects.get().fence == 1


@pytest.mark.django_db
def test_who_has_looked_too_long_ago_does_not_get_the_shard() -> None:
    shard = queued_shard()
    stale = SyncShard.objects.get()
    claim(shard)

    assert claim(stale, at=AT + SILENT) is None


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_gets_the_shard() -> None:
    for _round in range(3):
        shard = queued_shard()

        won = at_once([partial(claim, shard, f"here:{n}:1") for n in range(6)])

        winner = [number for number, fence in enumerate(won) if fence]
        stored = SyncShard.objects.get(pk=shard.pk)
        assert len(winner) == 1
        assert (stored.process, stored.fence) == (f"here:{winner[0]}:1", 1)


@pytest.mark.django_db
def test_loses_against_another_between_looking_and_taking(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shard = queued_shard()
    update = SyncShardQuerySet.update

    def late(shards: SyncShardQuerySet, **changes: Any) -> int:
        monkeypatch.setattr(SyncShardQuerySet, "update", update)
        assert claim(SyncShard.objects.get(), "quick:1:1") == 1
        return update(shards, **changes)

    monkeypatch.setattr(SyncShardQuerySet, "update", late)

    assert claim(shard, "slow:1:1") is None

    assert SyncShard.objects.get().process == "quick:1:1"


@pytest.mark.django_db
@pytest.mark.parametrize(("fence", "held"), [(0, False), (1, True), (2, False)])
def test_only_the_holder_of_the_fence_beats(fence: int, held: bool) -> None:
    shard = running_shard()
    later = AT + timedelta(hours=1)

    assert SyncShard.objects.beat(shard.pk, fence=fence, at=later) is held

    assert (SyncShard.objects.get().heartbeat_at == later) is held


@pytest.mark.django_db
def test_an_owner_names_run_shard_and_claim() -> None:
    shard = running_shard()

    assert shard.owner(3) == f"run {shard.run_id} shard 0 claim 3"
    assert str(shard) == f"run {shard.run_id} shard 0"


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["queued", "running", "waiting"])
def test_a_run_ends_once(state: str) -> None:
    wanted = run(state=state, request_key="key")
    numbers = {"succeeded": 5, "reasons": {"timeout": 1}}

    def end(final: RunState, **more: Any) -> bool:
        return SyncRun.objects.end(
            wanted.pk, state=final, error="e" * 600, at=AT, **more
        )

    first, second = end(RunState.PARTIAL, **numbers), end(RunState.FAILED)

    assert (first, second) == (True, False)
    wanted.refresh_from_db()
    assert (wanted.state, wanted.finished_at, wanted.succeeded) == ("partial", AT, 5)
    assert (wanted.reasons, wanted.error) == ({"timeout": 1}, "e" * 500)
    assert wanted.request_key is None


@pytest.mark.django_db
def test_runs_that_have_ended_are_not_active() -> None:
    for state in RunState.values:
        run(state=state)

    active = set(SyncRun.objects.active().values_list("state", flat=True))

    assert active == {"queued", "running", "waiting"}


@pytest.mark.django_db
def test_a_run_tells_its_markets_and_seconds() -> None:
    wanted = run(market="HK,US", started_at=AT, finished_at=AT + 1.5 * SECOND)

    assert wanted.markets == ["HK", "US"]
    assert wanted.seconds == 1.5
    assert (run().markets, run().seconds) == ([], 0.0)


@pytest.mark.django_db
def test_a_run_that_has_not_ended_has_lasted_until_it_was_last_heard_of() -> None:
    waits = run(started_at=AT, heartbeat_at=AT + 64 * SECOND, state="waiting")

    assert waits.seconds == 64
