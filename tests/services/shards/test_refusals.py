"""没有尽头的拒绝:说在等什么,等得久就停下来,到时候再继续。"""

from __future__ import annotations

from datetime import timedelta
from threading import Event

import pytest

from sync.engine.errors import RateLimited
from sync.engine.ports import Page, PageRequest, Token
from sync.management.reporting import as_json
from sync.models import SyncFailure, SyncRun, SyncShard
from sync.services import SyncRequest, execute, revive, start
from tests.fixtures import MakeToken, Provider
from tests.rows import AT, SECOND, WINDOW, stock
from tests.runs import honest, no_token_is_held, started

pytestmark = pytest.mark.django_db
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def refused(seconds: float) -> Page:
    raise RateLimited("slow down", retry_after=seconds)


def for_an_hour(_token: Token, _request: PageRequest) -> Page:
    return refused(3600)


def executed(run: SyncRun, *, at: timedelta = 0 * SECOND, **more: object) -> SyncRun:
    return execute(run, stop=Event(), now=lambda: AT + at, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("background", [True, False])
def test_a_run_that_is_refused_for_long_waits_and_says_why(
    make_token: MakeToken, provider: Provider, *, background: bool
) -> None:
    make_token(minute_limit=0)
    stock()
    provider(for_an_hour)
    wanted = SyncRequest(WINDOW.start, WINDOW.end)

    run = executed(start(wanted, at=AT, background=background))

    assert (run.state, run.waiting_until) == ("waiting", AT + HOUR)
    assert run.error == (
        "Every usable token that serves HK rests after refusals, the first until "
        "2026-03-10 09:00:00 UTC: slow down"
    )
    assert as_json(run)["waits"] == run.error
    assert (run.calls, run.failed) == (1, 0)
    assert no_token_is_held()
    assert not SyncFailure.objects.exists()


def test_a_token_that_rests_without_a_word_leaves_no_colon_behind(
    make_token: MakeToken,
) -> None:
    make_token(resting_until=AT + HOUR)
    stock()

    run = executed(start(SyncRequest(WINDOW.start, WINDOW.end), at=AT, background=True))

    assert run.error == (
        "Every usable token that serves HK rests after refusals, the first until "
        "2026-03-10 09:00:00 UTC."
    )


def test_it_goes_on_once_they_have_rested_and_no_sooner(
    make_token: MakeToken, provider: Provider
) -> None:
    make_token(minute_limit=0)
    stock()
    provider(for_an_hour)
    wanted = SyncRequest(WINDOW.start, WINDOW.end)
    run = executed(start(wanted, at=AT, background=True))
    provider(honest)

    early = revive(at=AT + 59 * MINUTE)
    late = revive(at=AT + HOUR)
    run.refresh_from_db()
    run = executed(run, at=HOUR)

    assert (early.woken, late.woken) == ([], [run.pk])
    assert (run.state, run.succeeded, run.calls) == ("succeeded", 1, 2)


def test_a_token_that_can_be_used_serves_while_another_rests_for_long(
    make_token: MakeToken, provider: Provider
) -> None:
    resting, _good = make_token(minute_limit=0), make_token(minute_limit=0)
    stock()

    def answer(token: Token, request: PageRequest) -> Page:
        return refused(3600) if token.id == resting.pk else honest(token, request)

    provider(answer)

    run = executed(started())

    assert (run.state, run.succeeded) == ("succeeded", 1)
    resting.refresh_from_db()
    assert resting.resting_until == AT + HOUR
    assert resting.status == 1


def test_while_all_tokens_rest_the_run_says_so(
    make_token: MakeToken, provider: Provider
) -> None:
    make_token(minute_limit=0)
    stock()
    answers = [lambda: refused(3)]
    notes: list[str] = []
    stored: list[str] = []

    def answer(token: Token, request: PageRequest) -> Page:
        return answers.pop()() if answers else honest(token, request)

    def watch(_run: SyncRun, _progress: object, note: str) -> None:
        notes.append(note)
        stored.append(SyncShard.objects.get().waits)

    provider(answer)

    run = executed(started(), watch=watch)

    said = {note.partition(" until ")[0] for note in notes if note}
    assert said == {"Every token rests after refusals, the first"}
    assert all(note.endswith(" UTC: slow down") for note in notes if note)
    assert set(stored) == set(notes)
    assert notes[-1] == ""
    assert run.state == "succeeded"
