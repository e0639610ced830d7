"""运行被打断、取消、接管,以及写不下结局的时候。"""

from __future__ import annotations

from threading import Event
from typing import Any

import pytest
from django.db.utils import OperationalError

from sync.engine.ports import Page, PageRequest, Progress, Token
from sync.models import Kline, SyncFailure, SyncRun, SyncShard
from sync.models.runs import SyncRunQuerySet
from sync.services import AlreadyRunning, reap
from sync.services.processes import this_process
from tests.fixtures import MakeToken, Provider
from tests.rows import AT, PATIENCE, stock
from tests.runs import (
    BARS,
    HOUR,
    Waiting,
    executed,
    honest,
    no_token_is_held,
    numbers,
    started,
)

pytestmark = pytest.mark.django_db


def test_a_run_asked_to_stop_before_it_begins_is_interrupted(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token()
    stock("1")
    clients, stop = provider(honest), Event()
    stop.set()

    run = executed(started(), stop=stop)

    assert (run.state, clients) == ("interrupted", [])
    assert run.shards.get().state == "interrupted"
    assert run.request_key is None


def test_a_stop_ends_calls_under_way_and_keeps_what_was_fetched(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    for code in "12":
        stock(code)
    stop, hanging = Event(), Event()

    def second_hangs(token: Token, request: PageRequest) -> Page:
        if request.code == "1":
            return honest(token, request)
        hanging.set()
        return clients[0].hang()

    def watch(_run: SyncRun, _progress: Progress, _note: str) -> None:
        if hanging.is_set():
            stop.set()

    clients = provider(second_hangs)

    run = executed(started(), stop=stop, watch=watch)

    assert (run.state, numbers(run)) == ("interrupted", (2, 1, 0, 0, BARS))
    assert not SyncFailure.objects.exists()
    assert no_token_is_held()


def test_a_run_that_is_cancelled_stops(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    stock("1")
    hanging = Event()

    def hang(_token: Token, _request: PageRequest) -> Page:
        hanging.set()
        return clients[0].hang()

    def watch(run: SyncRun, _progress: Progress, _note: str) -> None:
        if hanging.is_set():
            SyncRun.objects.filter(pk=run.pk).update(cancel_requested_at=AT)

    clients = provider(hang)

    run = executed(started(), watch=watch)

    assert (run.state, run.succeeded, run.failed) == ("cancelled", 0, 0)
    assert run.finished_at == AT
    assert no_token_is_held()


def test_a_run_goes_on_where_a_stopped_one_left(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    stock("1")
    provider(honest)
    executed(started(), stop=_set())

    run = executed(started())

    assert (run.state, run.klines) == ("succeeded", BARS)


def _set() -> Event:
    stop = Event()
    stop.set()
    return stop


def test_a_run_that_another_process_works_on_is_left_to_it(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token()
    run = started()
    SyncShard.objects.claim(run.shards.get(), process=this_process(), at=AT)
    SyncRun.objects.update(state="running")

    with pytest.raises(AlreadyRunning, match=f"run {run.pk} is being worked on"):
        executed(run)

    run.refresh_from_db()
    assert run.state == "running"


def test_a_run_that_is_taken_over_writes_and_ends_nothing_more(
    provider: Provider, make_token: MakeToken, caplog: pytest.LogCaptureFixture
) -> None:
    make_token(minute_limit=0)
    stock("1")
    answered = Event()

    def late(token: Token, request: PageRequest) -> Page:
        assert answered.wait(PATIENCE)
        return honest(token, request)

    def watch(_run: SyncRun, _progress: Progress, _note: str) -> None:
        if not answered.is_set():
            later = AT + HOUR
            assert SyncShard.objects.claim(
                SyncShard.objects.get(), process="elsewhere:1:1", at=later
            )
            answered.set()

    provider(late)

    run = executed(started(), watch=watch)

    assert (run.state, run.finished_at) == ("running", None)
    assert not Kline.objects.exists()
    shard = run.shards.get()
    assert (shard.state, shard.fence, shard.process) == ("running", 2, "elsewhere:1:1")
    assert f"run {run.pk} shard 0 was taken over by another process" in caplog.text
    assert no_token_is_held()


def test_a_run_reaped_while_it_was_slow_stays_interrupted(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    stock("1")
    provider(honest)

    def watch(_run: SyncRun, _progress: Progress, _note: str) -> None:
        reap(at=AT + HOUR)

    run = executed(started(), watch=watch)

    assert (run.state, run.shards.get().fence) == ("interrupted", 2)


def test_a_deadlock_at_the_end_does_not_leave_the_run_open(
    provider: Provider, make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_token(minute_limit=0)
    stock("1")
    provider(honest)
    end = SyncRunQuerySet.end

    def locked_once(runs: SyncRunQuerySet, pk: int, **columns: Any) -> bool:
        monkeypatch.setattr(SyncRunQuerySet, "end", end)
        raise OperationalError(1213, "Deadlock found")

    monkeypatch.setattr(SyncRunQuerySet, "end", locked_once)

    run = executed(started(), stop=Waiting())

    assert (run.state, run.request_key, run.klines) == ("succeeded", None, BARS)
    assert run.shards.get().state == "done"


def test_an_end_that_cannot_be_written_is_left_to_the_reaper(
    provider: Provider,
    make_token: MakeToken,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    make_token(minute_limit=0)
    provider(honest)

    def away(*_arguments: object, **_options: object) -> bool:
        raise OperationalError(1045, "Access denied")

    with monkeypatch.context() as broken:
        broken.setattr(SyncRunQuerySet, "end", away)
        run = executed(started())

    assert f"The end of run {run.pk} shard 0 could not be written" in caplog.text
    assert reap(at=AT + HOUR) == [run.pk]
