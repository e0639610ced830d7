"""收拾死掉的进程留下的运行。"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from sync.models import SyncRun, SyncShard
from sync.models.runs import SyncRunQuerySet
from sync.models.shards import AWAY, LEASE, SILENT, SyncShardQuerySet
from sync.services import reap
from sync.services.processes import this_process
from tests.fixtures import MakeToken
from tests.racing import at_once
from tests.rows import AT, SECOND, queued_shard, run, running_shard
from tests.services.containers import in_a_space_of_its_own
from tokens.models import ApiToken, TokenWish

# This host and number, and another start: a process that has ended.
GONE = this_process().rpartition(":")[0] + ":1"
ELSEWHERE = "elsewhere:space:1:1"
OVER = AT + SILENT


def state_of(shard: SyncShard) -> tuple[str, str, int]:
    shard.refresh_from_db()
    return shard.run.state, shard.state, shard.fence


@pytest.mark.django_db
def test_a_run_whose_process_is_gone_is_interrupted_at_once() -> None:
    shard = running_shard(process=GONE)

    assert reap(at=AT + SECOND) == [shard.run_id]

    assert state_of(shard) == ("interrupted", "interrupted", 2)
    ended = SyncRun.objects.get()
    assert (ended.finished_at, ended.request_key) == (AT + SECOND, None)
    assert ended.error == "The process that worked on it has died."


@pytest.mark.django_db
@pytest.mark.parametrize(
    "process", [ELSEWHERE, "", this_process()], ids=["elsewhere", "none", "this"]
)
def test_a_run_is_interrupted_when_it_has_been_silent_for_too_long(
    process: str,
) -> None:
    shard = running_shard(process=process)

    early, late = reap(at=OVER - SECOND), reap(at=OVER)

    assert (early, late) == ([], [shard.run_id])
    assert state_of(shard) == ("interrupted", "interrupted", 2)


@pytest.mark.django_db
def test_a_live_run_is_left_alone() -> None:
    shard = running_shard()

    assert reap(at=AT + SECOND) == []

    assert state_of(shard) == ("running", "running", 1)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("process", "dead"),
    [(GONE, True), (this_process(), False), ("", False)],
    ids=["gone", "this", "none"],
)
def test_a_run_that_has_not_begun_dies_with_its_process_only(
    process: str, dead: bool
) -> None:
    shard = queued_shard(process=process)

    reaped = reap(at=AT + timedelta(seconds=30))

    assert reaped == ([shard.run_id] if dead else [])
    assert shard.run.state == "queued"
    assert state_of(shard)[0] == ("interrupted" if dead else "queued")


@pytest.mark.django_db
def test_a_run_of_another_host_that_never_begins_dies_of_its_silence() -> None:
    shard = queued_shard(process="elsewhere:1:1")

    early, late = reap(at=OVER - SECOND), reap(at=OVER)

    assert (early, late) == ([], [shard.run_id])


@pytest.mark.django_db
def test_a_run_whose_database_was_away_for_two_minutes_is_not_dead() -> None:
    # The last heartbeat may have been a moment before, the next takes a moment.
    running_shard(process=ELSEWHERE)

    assert reap(at=AT + timedelta(seconds=AWAY) + LEASE / 2) == []


@pytest.mark.django_db
def test_a_live_run_in_a_container_of_the_same_host_name_is_left_alone() -> None:
    with in_a_space_of_its_own() as name:
        shard = running_shard(process=name)
        reaped = reap(at=AT + SECOND)

    assert (reaped, state_of(shard)) == ([], ("running", "running", 1))


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["done", "interrupted"])
def test_a_shard_that_has_ended_is_left_alone(state: str) -> None:
    shard = running_shard(process=GONE)
    SyncShard.objects.update(state=state)

    assert reap(at=OVER) == []

    assert state_of(shard) == ("running", state, 1)


@pytest.mark.django_db
def test_the_tokens_of_the_dead_are_free_and_their_calls_count_as_made(
    make_token: MakeToken,
) -> None:
    shard = running_shard(process=GONE)
    until, now = AT + 60 * SECOND, AT + SECOND
    columns: dict[str, Any] = {"reserved": 4, "daily_used": 4, "leased_until": until}
    token = make_token(leased_by=shard.owner(1), usage_date=AT.date(), **columns)
    other = make_token(leased_by="run 99 shard 0 claim 1", **columns)

    reap(at=now)

    assert ApiToken.objects.lease(token, owner="next", at=now)
    assert token.used_today(now) == 4
    assert token.carried_calls(now) == [(0.0, 4)]
    other.refresh_from_db()
    assert other.leased_until == until


@pytest.mark.django_db
def test_nobody_leaves_tokens_for_the_dead() -> None:
    shard = running_shard(process=GONE)
    wish: dict[str, Any] = {
        "market": "HK",
        "wanted": 6,
        "calls": 0,
        "since": AT,
        "at": AT,
    }
    TokenWish.objects.post(shard.owner(1), **wish)
    TokenWish.objects.post("run 99 shard 0 claim 1", **wish)

    reap(at=AT + SECOND)

    live = TokenWish.objects.live(at=AT + SECOND)
    assert [wish.owner for wish in live] == ["run 99 shard 0 claim 1"]


@pytest.mark.django_db
def test_who_was_only_slow_finds_out() -> None:
    shard = running_shard(process=ELSEWHERE)

    reap(at=OVER)

    assert not SyncShard.objects.beat(shard.pk, fence=1, at=OVER)


@pytest.mark.django_db
def test_a_heartbeat_between_looking_and_taking_saves_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shard = running_shard(process=ELSEWHERE)
    update = SyncShardQuerySet.update

    def late(shards: SyncShardQuerySet, **changes: Any) -> int:
        monkeypatch.setattr(SyncShardQuerySet, "update", update)
        assert SyncShard.objects.beat(shard.pk, fence=1, at=OVER)
        return update(shards, **changes)

    monkeypatch.setattr(SyncShardQuerySet, "update", late)

    assert reap(at=OVER) == []

    assert state_of(shard) == ("running", "running", 1)


@pytest.mark.django_db
def test_a_claim_between_looking_and_taking_saves_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shard = queued_shard(process=GONE)
    update = SyncShardQuerySet.update

    def late(shards: SyncShardQuerySet, **changes: Any) -> int:
        monkeypatch.setattr(SyncShardQuerySet, "update", update)
        assert SyncShard.objects.claim(shard, process=this_process(), at=AT) == 1
        return update(shards, **changes)

    monkeypatch.setattr(SyncShardQuerySet, "update", late)

    assert reap(at=AT) == []

    assert state_of(shard)[1:] == ("running", 1)


@pytest.mark.django_db(transaction=True)
def test_of_two_reapers_at_once_one_reaps() -> None:
    for _round in range(3):
        shard = queued_shard(run(), process=GONE)

        reaped = at_once([partial(reap, at=AT)] * 3)

        assert sorted(reaped) == [[], [], [shard.run_id]]
        assert state_of(shard) == ("interrupted", "interrupted", 1)


@pytest.mark.django_db
def test_a_reaper_that_dies_half_way_leaves_the_run_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shard = running_shard(process=GONE)

    def die(*_arguments: object, **_options: object) -> None:
        raise SystemExit

    with monkeypatch.context() as dying:
        dying.setattr(SyncRunQuerySet, "end", die)
        with pytest.raises(SystemExit):
            reap(at=AT)

    assert reap(at=AT) == [shard.run_id]
    assert state_of(shard) == ("interrupted", "interrupted", 2)
