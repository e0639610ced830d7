"""所有 Token 都被别人占用时,运行等待。"""

from __future__ import annotations

from typing import Any

import pytest

from sync.engine.ports import Progress
from sync.models import SyncRun, SyncShard
from sync.services import NoUsableToken, execute
from tests.fixtures import MakeToken, Provider
from tests.rows import AT, stock
from tests.runs import BARS, HOUR, Waiting, executed, honest, started
from tokens.models import ApiToken
from tokens.querysets import ApiTokenQuerySet

pytestmark = pytest.mark.django_db
HELD: dict[str, Any] = {
    "leased_by": "run 9 shard 0 claim 1",
    "leased_at": AT - HOUR,
    "leased_until": AT + HOUR,
}


def test_a_run_waits_while_another_holds_all_tokens(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(minute_limit=0, **HELD)
    stock("1")
    provider(honest)
    notes = []

    def watch(_run: SyncRun, _progress: Progress, note: str) -> None:
        notes.append(note)

    run = executed(started(), stop=Waiting(lambda: None, set_tokens_free), watch=watch)

    said = (
        "Every usable token with calls left is held by "
        "run 9 since 2026-03-10 07:00 UTC."
    )
    assert notes[:2] == [said, said]
    assert set(notes[2:]) == {""}
    assert (run.state, run.klines) == ("succeeded", BARS)


def set_tokens_free() -> None:
    ApiToken.objects.update(leased_by="", leased_at=None, leased_until=None)


def test_tokens_that_come_free_while_the_run_looks_do_not_end_it(
    provider: Provider, make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_token(minute_limit=0, **HELD)
    stock("1")
    provider(honest)
    why = ApiTokenQuerySet.why_none_available

    def asked(*args: Any, **wanted: Any) -> str:
        said = why(*args, **wanted)
        set_tokens_free()
        return said

    run = started()
    monkeypatch.setattr(ApiTokenQuerySet, "why_none_available", asked)

    assert executed(run, stop=Waiting(lambda: None)).state == "succeeded"


def test_a_run_that_waits_can_be_cancelled(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(**HELD)
    stock("1")
    clients = provider(honest)
    run = started()

    def cancel() -> None:
        SyncRun.objects.update(cancel_requested_at=AT)

    executed(run, stop=Waiting(cancel))

    run.refresh_from_db()
    assert (run.state, run.calls, clients) == ("cancelled", 0, [])


def test_a_run_that_waits_can_be_interrupted(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(**HELD)
    stock("1")
    provider(honest)
    stop = Waiting()
    stop.actions.append(stop.set)

    assert executed(started(), stop=stop).state == "interrupted"


def test_a_run_that_waits_beats_on(provider: Provider, make_token: MakeToken) -> None:
    make_token(**HELD)
    stock("1")
    provider(honest)
    run, seen = started(), []
    later = AT + HOUR / 2

    def look() -> None:
        seen.append(SyncShard.objects.get().heartbeat_at)
        stop.set()

    stop = Waiting(look)
    times = iter([AT, AT, AT])

    execute(run, stop=stop, now=lambda: next(times, later))

    assert seen == [later]


def test_tokens_that_go_bad_while_a_run_waits_end_it(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(**HELD)
    stock("1")
    provider(honest)
    run = started()

    def disable() -> None:
        ApiToken.objects.update(status=0)

    with pytest.raises(NoUsableToken, match="No token of itick is enabled"):
        executed(run, stop=Waiting(disable))

    run.refresh_from_db()
    assert run.state == "failed"
