"""分片之间的竞争:两个同时租 Token、取消遇上停下、死掉的几片遇上同样的请求。"""

from __future__ import annotations

from threading import Event
from typing import Any

import pytest

from sync.models import SyncRun, SyncShard
from sync.services import execute_shard, start
from sync.services.ledger import TokenLedger
from sync.services.recovery import SILENT
from sync.services.requests import SyncRequest
from tokens.models import ApiToken
from tokens.querysets import ApiTokenQuerySet

from .conftest import MakeToken, Provider
from .rows import AT, WINDOW, stock
from .runs import executed, honest, no_token_is_held, started

pytestmark = pytest.mark.django_db
OVER = AT + SILENT


def cut(shards: int, **more: Any) -> SyncRun:
    request = SyncRequest(WINDOW.start, WINDOW.end, shards=shards, **more)
    return start(request, at=AT)


def shard_of(run: SyncRun, number: int) -> SyncShard:
    return run.shards.get(number=number)


def states(run: SyncRun) -> list[str]:
    run.refresh_from_db()
    shards = run.shards.order_by("number").values_list("state", flat=True)
    return [run.state, *shards]


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

    execute_shard(shard_of(run, 0), stop=Event(), now=lambda: AT)

    shard = shard_of(run, 0)
    assert (shard.state, shard.numbers["tokens_per_thread"]) == ("done", [2])
