"""次数用完是一种状态,不是失败:运行停下来等,不占进程,到时候自己继续。"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest
from django_q.models import OrmQ
from pytest_django import DjangoCaptureOnCommitCallbacks

from sync.models import SyncFailure, SyncRun, SyncShard
from sync.services import (
    AlreadyRunning,
    NoUsableToken,
    SyncRequest,
    cancel,
    execute,
    retry_failed,
    revive,
    start,
)
from tests.fixtures import MakeToken, Provider
from tests.rows import AT, SECOND, WINDOW, stock
from tests.runs import BARS, HOUR, Waiting, honest, no_token_is_held
from tests.services.failures.retries import row
from tokens.models import ApiToken

pytestmark = pytest.mark.django_db
TOMORROW = datetime(2026, 3, 11, tzinfo=UTC)
MINUTE = 60 * SECOND
WANTED = SyncRequest(WINDOW.start, WINDOW.end)
SPENT: dict[str, Any] = {"daily_limit": 2, "daily_used": 2, "usage_date": AT.date()}
HELD: dict[str, Any] = {
    "leased_by": "run 9 shard 0 claim 1",
    "leased_at": AT,
    "leased_until": AT + HOUR,
}


def executed_at(run: SyncRun, at: datetime, *, stop: Event | None = None) -> SyncRun:
    return execute(run, stop=stop or Event(), now=lambda: at)


def background(at: datetime = AT) -> SyncRun:
    return start(WANTED, at=at, background=True)


def state_of(run: SyncRun) -> tuple[str, str]:
    run.refresh_from_db()
    return run.state, run.shards.get().state


@pytest.fixture
def parked(make_token: MakeToken, provider: Provider) -> SyncRun:
    """三只股票,一天两次:取了两只,等明天。"""
    make_token(minute_limit=0, daily_limit=2)
    for code in "123":
        stock(code)
    provider(honest)
    run = executed_at(background(), AT)
    OrmQ.objects.all().delete()
    return run


def test_a_run_whose_quota_runs_out_waits_for_the_next_day(parked: SyncRun) -> None:
    assert (parked.state, parked.waiting_until) == ("waiting", TOMORROW)
    assert parked.error == (
        "Every usable token of itick that serves HK is at its daily limit until "
        "2026-03-11 00:00 UTC."
    )
    assert (parked.stocks, parked.succeeded, parked.klines) == (2, 2, 2 * BARS)
    assert (parked.failed, parked.finished_at) == (0, None)
    shard = parked.shards.get()
    assert (shard.state, shard.resume_at) == ("waiting", TOMORROW)
    # It belongs to no process, and the wait was no attempt.
    assert (shard.process, shard.attempts) == ("", 0)
    assert no_token_is_held()
    assert not SyncFailure.objects.exists()


def test_it_goes_on_by_itself_when_the_day_has_turned(
    parked: SyncRun,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    early = revive(at=TOMORROW - SECOND)
    with django_capture_on_commit_callbacks(execute=True):
        due = revive(at=TOMORROW)
    (job,) = OrmQ.objects.all()
    woken = state_of(parked)

    ended = executed_at(parked, TOMORROW)

    assert (early.woken, due.woken) == ([], [parked.pk])
    assert job.task["args"] == (parked.shards.get().pk,)
    assert woken == ("queued", "queued")
    assert (ended.state, ended.waiting_until, ended.error) == ("succeeded", None, "")
    assert (ended.stocks, ended.succeeded, ended.skipped) == (3, 3, 0)
    assert (ended.klines, ended.calls) == (3 * BARS, 3)
    assert ended.started_at == AT


def test_it_goes_on_at_once_when_somebody_enables_a_token(
    parked: SyncRun, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)

    early, settled = revive(at=AT + SECOND), revive(at=AT + MINUTE)

    # What has just stopped has seen what there was.
    assert (early.woken, settled.woken) == ([], [parked.pk])
    assert executed_at(parked, AT + MINUTE).state == "succeeded"


def test_it_is_not_taken_for_dead(parked: SyncRun) -> None:
    done = revive(at=AT + 5 * HOUR)

    assert (done.interrupted, done.enqueued) == ([], [])
    assert state_of(parked) == ("waiting", "waiting")


def test_it_can_be_cancelled(parked: SyncRun) -> None:
    cancel(parked.pk, at=AT)

    assert state_of(parked) == ("cancelled", "cancelled")
    assert parked.request_key is None


def test_the_same_request_takes_its_place(
    parked: SyncRun, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)

    again = start(WANTED, at=AT + MINUTE)

    assert state_of(parked) == ("cancelled", "cancelled")
    assert parked.error == "It waited and was asked for again."
    assert state_of(again) == ("queued", "queued")


def test_the_same_request_leaves_its_place_where_there_are_no_calls_yet(
    parked: SyncRun,
) -> None:
    with pytest.raises(
        AlreadyRunning, match=f"as run {parked.pk}: .* until 2026-03-11 00:00 UTC"
    ):
        start(WANTED, at=AT + MINUTE)

    assert state_of(parked) == ("waiting", "waiting")
    assert SyncRun.objects.count() == 1


def test_the_same_request_in_the_background_waits_in_its_place(
    parked: SyncRun,
) -> None:
    again = executed_at(background(AT + MINUTE), AT + MINUTE)

    assert (state_of(parked)[0], again.state) == ("cancelled", "waiting")


def test_the_same_request_does_not_take_the_place_of_one_at_work(
    parked: SyncRun,
) -> None:
    revive(at=TOMORROW)
    SyncShard.objects.claim(parked.shards.get(), process="x:1:1", at=TOMORROW)

    with pytest.raises(AlreadyRunning):
        start(WANTED, at=TOMORROW)


def test_a_run_in_the_background_waits_also_where_nothing_was_to_be_had(
    make_token: MakeToken, provider: Provider
) -> None:
    make_token(minute_limit=0, **SPENT)
    stock("1")
    clients = provider(honest)

    run = executed_at(background(), AT)

    assert (run.state, run.waiting_until, clients) == ("waiting", TOMORROW, [])


def test_who_waits_at_a_terminal_is_told_where_nothing_was_to_be_had(
    make_token: MakeToken, provider: Provider
) -> None:
    make_token(minute_limit=0, **SPENT)
    stock("1")
    provider(honest)
    run = start(WANTED, at=AT)

    with pytest.raises(NoUsableToken, match="at its daily limit until 2026-03-11"):
        executed_at(run, AT)

    assert state_of(run) == ("failed", "failed")


def test_who_waits_at_a_terminal_leaves_the_rest_to_the_cluster(
    make_token: MakeToken, provider: Provider
) -> None:
    make_token(minute_limit=0, daily_limit=1)
    for code in "12":
        stock(code)
    provider(honest)

    run = executed_at(start(WANTED, at=AT), AT)

    assert (run.state, run.succeeded, run.background) == ("waiting", 1, True)


def test_a_short_while_is_waited_for_in_the_process(
    make_token: MakeToken, provider: Provider
) -> None:
    make_token(minute_limit=0, daily_limit=1)
    for code in "12":
        stock(code)
    provider(honest)
    moments = [TOMORROW - 90 * SECOND]

    def turn_the_day() -> None:
        moments[0] = TOMORROW

    run = start(WANTED, at=moments[0])
    ended = execute(run, stop=Waiting(turn_the_day), now=lambda: moments[0])

    assert (ended.state, ended.stocks, ended.succeeded) == ("succeeded", 2, 2)
    assert (ended.skipped, ended.calls) == (0, 2)


def test_tokens_that_others_hold_are_not_waited_for_for_ever_by_a_worker(
    make_token: MakeToken, provider: Provider
) -> None:
    make_token(minute_limit=0, **HELD)
    stock("1")
    provider(honest)
    moments = [AT]

    def later() -> None:
        moments[0] = AT + timedelta(minutes=3)

    run = execute(background(), stop=Waiting(later), now=lambda: moments[0])

    assert (run.state, run.shards.get().attempts) == ("waiting", 0)
    assert "is held by run 9 since" in run.error
    ApiToken.objects.update(leased_by="", leased_at=None, leased_until=None)
    assert revive(at=AT + timedelta(minutes=4)).woken == [run.pk]


def test_who_ends_wakes_those_who_wait_for_its_tokens(
    make_token: MakeToken, provider: Provider
) -> None:
    make_token(minute_limit=0, **HELD)
    stock("1")
    provider(honest)
    moments = [AT]

    def later() -> None:
        moments[0] = AT + timedelta(minutes=3)

    waits = execute(background(), stop=Waiting(later), now=lambda: moments[0])
    ApiToken.objects.update(leased_by="", leased_at=None, leased_until=None)
    other = SyncRequest(WINDOW.start, WINDOW.start)

    at = AT + timedelta(minutes=4)
    executed_at(start(other, at=at), at)

    assert state_of(waits) == ("queued", "queued")


def test_a_retry_that_waits_holds_its_rows_until_somebody_asks_anew(
    make_token: MakeToken, provider: Provider
) -> None:
    make_token(minute_limit=0, daily_limit=1)
    for code in "12":
        row(stock(code).stock_code)
    provider(honest)
    waits = executed_at(retry_failed(at=AT), AT)
    held = SyncFailure.objects.held_by(waits.pk).count()

    with pytest.raises(AlreadyRunning, match=f"as run {waits.pk}: "):
        retry_failed(at=AT + MINUTE)
    make_token(minute_limit=0)
    again = retry_failed(at=AT + MINUTE)

    assert (waits.state, waits.succeeded, held) == ("waiting", 1, 1)
    assert state_of(waits)[0] == "cancelled"
    assert SyncFailure.objects.held_by(again.pk).count() == 1


def test_a_retry_that_goes_on_counts_what_it_had(
    make_token: MakeToken, provider: Provider
) -> None:
    make_token(minute_limit=0, daily_limit=1)
    for code in "12":
        row(stock(code).stock_code)
    provider(honest)
    run = executed_at(retry_failed(at=AT, background=True), AT)
    revive(at=TOMORROW)

    ended = executed_at(run, TOMORROW)

    assert (ended.state, ended.stocks, ended.succeeded) == ("succeeded", 2, 2)
    assert (ended.calls, ended.skipped) == (2, 0)


def test_a_retry_that_waits_for_other_rows_is_not_replaced(
    make_token: MakeToken, provider: Provider
) -> None:
    make_token(minute_limit=0, **SPENT)
    provider(honest)
    waits = []
    for code in "12":
        row(stock(code).stock_code)
        run = retry_failed(at=AT, stock_code=code, background=True)
        waits.append(executed_at(run, AT))

    retry_failed(at=AT + MINUTE, stock_code="1", background=True)

    assert [state_of(run)[0] for run in waits] == ["cancelled", "waiting"]
