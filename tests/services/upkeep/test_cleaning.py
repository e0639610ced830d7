"""清理:删什么,留什么。"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django_q.models import Task
from pytest_django import Settings

from sync.models import (
    FailureStatus,
    RunEvent,
    RunSample,
    SyncFailure,
    SyncRun,
    SyncShard,
)
from sync.services import clean_up
from sync.services.upkeep import cleaning
from sync.services.upkeep.cleaning import KEEP_JOBS, KEEP_RUNS, Cleaned
from tests.rows import AT, WINDOW, queued_shard, run

pytestmark = pytest.mark.django_db

OLD = AT - KEEP_RUNS - timedelta(seconds=1)


def ended(*, finished_at: datetime | None = OLD, **columns: Any) -> SyncRun:
    return run(**{"state": "succeeded", "finished_at": finished_at, **columns})


def pointing_to(of: SyncRun, status: int | None) -> SyncFailure:
    return SyncFailure.objects.create(
        stock_code="1",
        start_date=WINDOW.start,
        end_date=WINDOW.end,
        run=of,
        status=status,
    )


def job(*, success: bool, stopped: datetime) -> Task:
    return Task.objects.create(
        id=f"{Task.objects.count():032}",
        name="job",
        func="sync.tasks.clean_up",
        started=stopped,
        stopped=stopped,
        success=success,
    )


def test_old_runs_go_with_their_shards_and_younger_ones_stay() -> None:
    queued_shard(ended())
    young = queued_shard(ended(finished_at=AT - KEEP_RUNS))

    cleaned = clean_up(at=AT)

    assert cleaned == Cleaned(runs=1, jobs=0)
    assert list(SyncRun.objects.all()) == [young.run]
    assert list(SyncShard.objects.all()) == [young]


@pytest.mark.parametrize("state", ["queued", "running", "waiting"])
def test_a_run_that_has_not_ended_stays(state: str) -> None:
    ended(state=state)
    ended(state=state, finished_at=None)

    assert clean_up(at=AT).runs == 0


@pytest.mark.parametrize(
    "status", [FailureStatus.WAITING, FailureStatus.GIVEN_UP, None]
)
def test_a_run_stays_as_long_as_an_open_failure_points_to_it(
    status: int | None,
) -> None:
    row = pointing_to(ended(), status)

    cleaned = clean_up(at=AT)

    row.refresh_from_db()
    assert (cleaned.runs, row.run) == (0, SyncRun.objects.get())


def test_a_failure_that_was_retried_outlives_its_run() -> None:
    row = pointing_to(ended(), FailureStatus.DONE)

    cleaned = clean_up(at=AT)

    row.refresh_from_db()
    assert (cleaned.runs, row.run) == (1, None)


def test_a_failure_without_a_run_keeps_no_run() -> None:
    ended()
    row = pointing_to(ended(finished_at=AT), FailureStatus.WAITING)
    SyncFailure.objects.filter(pk=row.pk).update(run=None)

    assert clean_up(at=AT).runs == 1


def test_many_runs_go_in_several_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "CHUNK", 2)
    for _number in range(5):
        ended()

    assert (clean_up(at=AT).runs, SyncRun.objects.count()) == (5, 0)


def test_old_failures_of_the_queue_go_and_successes_stay() -> None:
    long_ago = AT - KEEP_JOBS - timedelta(seconds=1)
    job(success=False, stopped=long_ago)
    young = job(success=False, stopped=AT - KEEP_JOBS)
    good = job(success=True, stopped=long_ago)

    cleaned = clean_up(at=AT)

    assert cleaned.jobs == 1
    assert set(Task.objects.all()) == {young, good}


def samples_of(run_: SyncRun, count: int) -> None:
    RunEvent.objects.note(run_.pk, "Something happened.", at=AT)
    RunSample.objects.bulk_create(
        RunSample(run=run_, at=AT + timedelta(seconds=n), klines=n)
        for n in range(count)
    )


def test_the_samples_of_an_ended_run_are_thinned_evenly_and_only_once() -> None:
    of = ended(finished_at=AT)
    at_work = run(state="running", request_key="other")
    samples_of(of, 500)
    samples_of(at_work, 500)

    assert clean_up(at=AT).samples == 400
    assert clean_up(at=AT).samples == 0

    kept = list(RunSample.objects.of(of).values_list("klines", flat=True))
    assert kept == list(range(0, 500, 5))
    assert RunSample.objects.of(at_work).count() == 500


def test_samples_and_events_go_after_the_days_that_are_set(
    settings: Settings,
) -> None:
    settings.STOCK_SYNC_KEEP_SAMPLES_DAYS = 2
    old = ended(finished_at=AT - timedelta(days=2, seconds=1))
    young = ended(finished_at=AT - timedelta(days=2))
    samples_of(old, 3)
    samples_of(young, 3)

    assert clean_up(at=AT).samples == 3 + 1

    assert set(RunSample.objects.values_list("run_id", flat=True)) == {young.pk}
    assert RunEvent.objects.get().run == young
