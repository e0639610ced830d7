"""分片之间的竞争:两个同时租 Token、取消遇上停下、死掉的几片遇上同样的请求。"""

from __future__ import annotations

from threading import Event
from typing import Any

import pytest

from sync.models import ShardState, SyncRun, SyncShard
from sync.models.shards import SILENT
from sync.services import cancel, execute_shard, follow, revive, start
from sync.services.processes import this_process
from sync.services.runs.request import SyncRequest
from sync.services.shards.revive import UNHEARD
from sync.services.shards.states import set_shard_state
from sync.services.tokens.ledger import TokenLedger
from tests.fixtures import MakeToken, Provider
from tests.rows import AT, WINDOW, stock
from tests.runs import (
    HOUR,
    Waiting,
    cut,
    executed,
    honest,
    no_token_is_held,
    shard_of,
    started,
    states,
)
from tokens.models import ApiToken
from tokens.querysets import ApiTokenQuerySet

pytestmark = pytest.mark.django_db
OVER = AT + SILENT


def test_tokens_that_were_leased_when_a_stop_came_are_given_back(
    provider: Provider, make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_token(minute_limit=0)
    stock("1")
    clients, stop, lease = provider(honest), Event(), TokenLedger.lease

    def stopped(ledger: TokenLedger, *arguments: Any, **options: Any) -> Any:
        leased = lease(ledger, *arguments, **options)
        stop.set()
        return leased

    monkeypatch.setattr(TokenLedger, "lease", stopped)

    run = executed(started(), stop=stop)

    assert (run.state, clients) == ("interrupted", [])
    assert no_token_is_held()


def test_who_is_slower_with_the_same_tokens_takes_the_next_ones(
    provider: Provider, make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        make_token(minute_limit=0)
    for code in "12":
        stock(code)
    provider(honest)
    run, lease = cut(2), ApiTokenQuerySet.lease

    def late(tokens: ApiTokenQuerySet, token: ApiToken, **wanted: Any) -> bool:
        monkeypatch.setattr(ApiTokenQuerySet, "lease", lease)
        sibling = wanted | {"owner": shard_of(run, 1).owner(1)}
        for first in ApiToken.objects.order_by("pk")[:2]:
            assert ApiToken.objects.lease(first, **sibling)
        return lease(tokens, token, **wanted)

    monkeypatch.setattr(ApiTokenQuerySet, "lease", late)

    execute_shard(shard_of(run, 0).pk, stop=Event(), now=lambda: AT)

    shard = shard_of(run, 0)
    assert (shard.state, shard.numbers["tokens_per_thread"]) == ("done", [2])


def die(run: SyncRun, number: int, *, times: int = 1) -> None:
    """一个分片被接手,然后它的进程死掉,几次就几次。"""
    SyncShard.objects.filter(run=run, number=number).update(attempts=times - 1)
    shard = shard_of(run, number)
    assert SyncShard.objects.claim(shard, process="elsewhere:1:1", at=AT)
    SyncRun.objects.filter(pk=run.pk).update(state="running")


def test_a_run_whose_place_was_taken_stays_cancelled_with_all_its_shards(
    make_token: MakeToken,
) -> None:
    make_token()
    for code in "12":
        stock(code)
    run = cut(2)
    die(run, 0)
    die(run, 1)
    again = start(SyncRequest(WINDOW.start, WINDOW.end), at=OVER)

    done = revive(at=OVER)

    assert done.restarted == []
    assert states(run) == ["cancelled", "interrupted", "interrupted"]
    assert states(again)[0] == "queued"


def test_a_poison_shard_that_dies_with_the_others_does_not_end_the_run(
    make_token: MakeToken,
) -> None:
    make_token()
    for code in "12":
        stock(code)
    run = cut(2)
    die(run, 0, times=3)
    die(run, 1)

    done = revive(at=OVER)

    assert (done.given_up, done.restarted) == ([run.pk], [run.pk])
    assert states(run) == ["queued", "failed", "queued"]
    assert run.request_key is not None
    assert run.finished_at is None


def test_a_cancel_that_meets_a_shard_which_stops_to_wait_ends_it(
    make_token: MakeToken,
) -> None:
    make_token()
    for code in "12":
        stock(code)
    run = cut(2)
    for number in (0, 1):
        shard = shard_of(run, number)
        assert SyncShard.objects.claim(shard, process=this_process(), at=AT)
    SyncRun.objects.update(state="running")
    cancel(run.pk, at=AT)

    for number, state in ((0, ShardState.WAITING), (1, ShardState.QUEUED)):
        shard = shard_of(run, number)
        waits = {"resume_at": AT + HOUR} if state == ShardState.WAITING else {}
        set_shard_state(shard, fence=1, state=state, at=AT, numbers={}, **waits)

    assert states(run) == ["cancelled", "cancelled", "cancelled"]


def test_who_follows_a_run_sees_it_fail_to_the_last_shard(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    for code in "12":
        stock(code)
    provider(honest)
    run = cut(2)
    ApiToken.objects.update(status=0)

    ended = follow(run, stop=Waiting(), watch=lambda *_: None, now=lambda: AT)

    # Left in the queue, the second one would keep its request from being made again.
    assert states(ended) == ["failed", "done", "done"]
    assert ended.error.startswith("没有可用的 Token: No token of itick is enabled.")
    assert ended.error.startswith("没有可用的 Token")


def test_who_stops_the_command_does_not_wait_for_a_sibling_that_is_silent(
    make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_token()
    for code in "12":
        stock(code)
    monkeypatch.setattr("sync.services.runs.follow.LOOK_AGAIN", 0.0)
    run, stop = cut(2), Event()
    die(run, 0)
    stop.set()

    ended = follow(run, stop=stop, watch=lambda *_: None, now=lambda: AT)

    assert ended.state == "cancelled"
    # Its process is dead or will find it out: the reaper ends it then.
    assert states(run) == ["running", "running", "cancelled"]
    assert run.cancel_requested_at == AT


def test_who_follows_a_run_needs_no_broker(
    provider: Provider, make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_token(minute_limit=0)
    for code in "12":
        stock(code)
    provider(honest)
    # Nobody has taken this one for a while, so that its job is to be sent again.
    start(SyncRequest(WINDOW.start, WINDOW.start), at=AT, background=True)
    run = cut(2)
    die(run, 0)

    def away() -> None:
        raise ConnectionError("Redis is away")

    monkeypatch.setattr("sync.services.shards.revive.get_broker", away)
    monkeypatch.setattr("sync.services.runs.follow.RECOVER", 0.0)
    moments = iter([AT, *[OVER + UNHEARD] * 1000])

    ended = follow(run, stop=Waiting(), watch=lambda *_: None, now=moments.__next__)

    assert ended.state == "succeeded"
