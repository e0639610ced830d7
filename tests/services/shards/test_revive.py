"""后台的运行:死了重新开始,有限的几次;任务丢了再送一次。"""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial
from threading import Event
from typing import Any

import pytest
from django_q.models import OrmQ
from pytest_django import DjangoCaptureOnCommitCallbacks

from sync.models import RunState, SyncFailure, SyncRun, SyncShard
from sync.models.shards import ATTEMPTS, SILENT, SyncShardQuerySet
from sync.services import cancel, execute, retry_failed, revive, start
from sync.services.processes import this_process
from sync.services.shards.revive import UNHEARD, Revived
from tests.fixtures import MakeToken, Provider
from tests.racing import at_once
from tests.rows import AT, SECOND, failure, stock
from tests.runs import executed, honest

from ..runs.test_start import WANTED

OVER = AT + SILENT + SECOND
LATER = AT + UNHEARD


@pytest.fixture
def run(make_token: MakeToken) -> SyncRun:
    """一次排着队的后台运行;它的任务已经丢了。"""
    make_token(minute_limit=0)
    stock("1")
    created = start(WANTED, at=AT, background=True)
    OrmQ.objects.all().delete()
    return created


def die(run: SyncRun, *, times: int = 1) -> None:
    """被一个进程接手,然后进程死掉;重新排队几次就几次。"""
    for number in range(times):
        if number:
            revive(at=OVER)
        shard = run.shards.get()
        claimed = SyncShard.objects.claim(shard, process="elsewhere:1:1", at=AT)
        assert claimed
        SyncRun.objects.filter(pk=run.pk).update(state=RunState.RUNNING)


def jobs() -> list[tuple[str, Any]]:
    return [(row.task["func"], row.task["args"]) for row in OrmQ.objects.order_by("pk")]


def state_of(run: SyncRun) -> tuple[str, str]:
    run.refresh_from_db()
    return run.state, run.shards.get().state


@pytest.mark.django_db
def test_a_run_whose_process_died_is_queued_and_rung_again(
    run: SyncRun, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    key = run.request_key
    die(run)

    with django_capture_on_commit_callbacks(execute=True):
        done = revive(at=OVER)

    assert done == Revived(interrupted=[run.pk], restarted=[run.pk])
    assert state_of(run) == ("queued", "queued")
    assert (run.request_key, run.error, run.finished_at) == (key, "", None)
    assert run.shards.get().process == ""
    assert jobs() == [("sync.tasks.execute_shard", (run.shards.get().pk,))]


@pytest.mark.django_db
def test_a_run_that_was_queued_again_is_executed_to_its_end(
    run: SyncRun, provider: Provider
) -> None:
    provider(honest)
    die(run)
    revive(at=OVER)

    ended = executed(run)

    assert (ended.state, ended.succeeded) == ("succeeded", 1)
    assert run.shards.get().attempts == 2


@pytest.mark.django_db
def test_a_run_that_its_worker_left_half_way_is_queued_and_rung_again(
    run: SyncRun,
    provider: Provider,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    provider(honest)
    stop = Event()
    stop.set()

    with django_capture_on_commit_callbacks(execute=True):
        execute(run, stop=stop, now=lambda: AT)

    assert state_of(run) == ("queued", "queued")
    # Whoever stops workers, for a new version say, must not use up the attempts.
    assert run.shards.get().attempts == 0
    assert jobs() == [("sync.tasks.execute_shard", (run.shards.get().pk,))]


@pytest.mark.django_db
def test_a_run_that_somebody_waits_for_stays_interrupted(
    make_token: MakeToken,
) -> None:
    make_token()
    stock("1")
    foreground = start(WANTED, at=AT)
    die(foreground)

    done = revive(at=OVER)

    assert (done.interrupted, done.restarted) == ([foreground.pk], [])
    assert state_of(foreground) == ("interrupted", "interrupted")


@pytest.mark.django_db
@pytest.mark.parametrize("attempts", [1, ATTEMPTS])
def test_a_run_that_was_to_be_cancelled_stays_interrupted(
    run: SyncRun, attempts: int
) -> None:
    die(run, times=attempts)
    cancel(run.pk, at=AT)

    done = revive(at=OVER)

    assert done == Revived(interrupted=[run.pk])
    assert state_of(run)[0] == "interrupted"


@pytest.mark.django_db
def test_after_so_many_attempts_a_run_is_given_up_and_a_person_told_once(
    run: SyncRun, caplog: pytest.LogCaptureFixture
) -> None:
    die(run, times=ATTEMPTS)

    first, second = revive(at=OVER), revive(at=OVER)

    assert (first.restarted, first.given_up) == ([], [run.pk])
    assert second == Revived()
    assert state_of(run)[0] == "failed"
    assert run.error.startswith(f"Interrupted {ATTEMPTS} times and given up.")
    errors = [log for log in caplog.records if log.levelno == logging.ERROR]
    assert len(errors) == 1


@pytest.mark.django_db
def test_a_run_that_was_asked_for_anew_is_not_started_beside_the_new_one(
    run: SyncRun,
) -> None:
    die(run)
    newer = start(WANTED, at=OVER)

    first, second = revive(at=OVER), revive(at=OVER)

    assert (first.restarted, second) == ([], Revived())
    assert state_of(run)[0] == "cancelled"
    assert state_of(newer) == ("queued", "queued")


@pytest.mark.django_db
def test_a_retry_that_died_holds_its_rows_still_when_it_is_queued_again(
    make_token: MakeToken,
) -> None:
    make_token()
    SyncFailure.objects.record([failure(stock("1"))], run_id=None, at=AT)
    retry = retry_failed(at=AT, background=True)
    die(retry)

    done = revive(at=OVER)

    assert done.restarted == [retry.pk]
    assert SyncFailure.objects.held_by(retry.pk).count() == 1
    assert (state_of(retry)[0], retry.request_key) == ("queued", None)


@pytest.mark.django_db(transaction=True)
def test_of_several_revivers_at_once_one_queues_the_run_again(run: SyncRun) -> None:
    die(run)

    done = at_once([partial(revive, at=OVER)] * 3)

    assert sorted(one.restarted for one in done) == [[], [], [run.pk]]
    assert len(jobs()) == 1
    assert state_of(run) == ("queued", "queued")


@pytest.mark.django_db
def test_a_run_that_was_claimed_in_the_meantime_is_left_to_its_process(
    run: SyncRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    die(run)
    seen = revive(at=OVER)
    die(run)
    revive_late = partial(revive, at=OVER)
    update = SyncShardQuerySet.update

    def late(shards: SyncShardQuerySet, **changes: Any) -> int:
        # Between looking and queueing: another reviver was first, and a worker, too.
        if changes.get("state") == "queued":
            monkeypatch.setattr(SyncShardQuerySet, "update", update)
            assert revive(at=OVER).restarted == [run.pk]
            shard = run.shards.get()
            assert SyncShard.objects.claim(shard, process=this_process(), at=OVER)
        return update(shards, **changes)

    monkeypatch.setattr(SyncShardQuerySet, "update", late)

    assert (seen.restarted, revive_late().restarted) == ([run.pk], [])
    assert run.shards.get().state == "running"


@pytest.mark.django_db
def test_a_run_whose_job_was_lost_is_rung_again_after_a_while(run: SyncRun) -> None:
    early, late = revive(at=LATER - SECOND), revive(at=LATER)

    assert (early.enqueued, late.enqueued) == ([], [run.pk])
    assert jobs() == [("sync.tasks.execute_shard", (run.shards.get().pk,))]


@pytest.mark.django_db
def test_a_run_that_was_rung_again_has_its_while_anew(run: SyncRun) -> None:
    revive(at=LATER)
    OrmQ.objects.all().delete()

    early, late = revive(at=LATER + SECOND), revive(at=LATER + UNHEARD)

    assert (early.enqueued, late.enqueued) == ([], [run.pk])


@pytest.mark.django_db
def test_while_jobs_wait_in_the_queue_none_is_sent_again(run: SyncRun) -> None:
    revive(at=LATER)

    again = revive(at=LATER + timedelta(hours=1))

    assert again.enqueued == []
    assert len(jobs()) == 1


@pytest.mark.django_db
def test_only_queued_runs_in_the_background_are_rung_again(
    run: SyncRun, make_token: MakeToken
) -> None:
    SyncShard.objects.claim(run.shards.get(), process=this_process(), at=LATER)
    SyncRun.objects.update(state=RunState.RUNNING, request_key=None)
    start(WANTED, at=AT)

    assert revive(at=LATER).enqueued == []


@pytest.mark.django_db(transaction=True)
def test_of_several_revivers_at_once_one_rings_again(run: SyncRun) -> None:
    done = at_once([partial(revive, at=LATER)] * 3)

    assert sorted(one.enqueued for one in done) == [[], [], [run.pk]]
    assert len(jobs()) == 1


@pytest.mark.django_db
def test_a_run_that_another_has_rung_in_the_meantime_is_not_rung_twice(
    run: SyncRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = SyncShardQuerySet.update

    def late(shards: SyncShardQuerySet, **changes: Any) -> int:
        monkeypatch.setattr(SyncShardQuerySet, "update", update)
        assert revive(at=LATER).enqueued == [run.pk]
        return update(shards, **changes)

    monkeypatch.setattr(SyncShardQuerySet, "update", late)

    assert revive(at=LATER).enqueued == []

    assert len(jobs()) == 1
