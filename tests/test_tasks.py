"""任务队列的入口:晚到、重复的任务都没有害处。"""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import DjangoCaptureOnCommitCallbacks

from sync import tasks
from sync.models import SyncRun
from sync.services import start
from sync.tasks import (
    audit_daily,
    clean_up,
    execute_shard,
    retry_hourly,
    revive_runs,
    sync_daily,
)

from .fixtures import MakeToken, Provider
from .rows import AT, WINDOW, stock
from .runs import BARS, honest, started
from .services.runs.test_start import WANTED

pytestmark = pytest.mark.django_db


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """送去任务队列的任务。"""
    jobs: list[tuple[Any, ...]] = []

    def async_task(*arguments: Any, **_options: Any) -> None:
        jobs.append(arguments)

    monkeypatch.setattr("sync.services.shards.jobs.async_task", async_task)
    return jobs


def test_a_job_is_sent_once_the_run_is_stored(
    make_token: MakeToken,
    enqueued: list[tuple[Any, ...]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    make_token()

    with django_capture_on_commit_callbacks(execute=True):
        run = start(WANTED, at=AT, background=True)
        before = list(enqueued)

    assert (before, enqueued) == (
        [],
        [("sync.tasks.execute_shard", run.shards.get().pk)],
    )


def test_a_run_in_this_process_sends_no_job(
    make_token: MakeToken,
    enqueued: list[tuple[Any, ...]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    make_token()

    with django_capture_on_commit_callbacks(execute=True):
        start(WANTED, at=AT)

    assert enqueued == []


def test_the_command_leaves_a_run_to_the_cluster(
    make_token: MakeToken, enqueued: list[tuple[Any, ...]]
) -> None:
    make_token()
    out = StringIO()

    call_command(
        "sync_klines", f"--start={WINDOW.start}", "--background", "--json", stdout=out
    )

    run = SyncRun.objects.get()
    printed = json.loads(out.getvalue())
    assert (printed["run"], printed["state"]) == (run.pk, "queued")
    assert run.shards.get().process == ""


def test_a_job_executes_its_run_and_a_second_one_nothing(
    make_token: MakeToken, provider: Provider
) -> None:
    make_token(minute_limit=0)
    stock("1")
    provider(honest)
    run = started()

    first, second = (
        execute_shard(run.shards.get().pk),
        execute_shard(run.shards.get().pk),
    )

    assert (first, second) == ("succeeded", "refused")
    run.refresh_from_db()
    assert (run.state, run.klines) == ("succeeded", BARS)


def test_a_shard_that_takes_very_long_goes_on_in_a_job_of_its_own(
    make_token: MakeToken,
    provider: Provider,
    enqueued: list[tuple[Any, ...]],
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    make_token(minute_limit=0)
    stock("1")
    clients = provider(lambda _token, _request: clients[0].hang())
    monkeypatch.setattr(tasks, "LONGEST", 0.2)
    shard = start(WANTED, at=AT, background=True).shards.get()

    with django_capture_on_commit_callbacks(execute=True):
        told = execute_shard(shard.pk)

    shard.refresh_from_db()
    assert (told, shard.state, shard.attempts) == ("queued", "queued", 0)
    assert ("sync.tasks.execute_shard", shard.pk) in enqueued


def test_a_job_whose_run_is_gone_does_nothing() -> None:
    assert execute_shard(999_999) == "gone"


def test_the_schedules_jobs_say_what_they_have_done() -> None:
    told = [
        job() for job in (revive_runs, sync_daily, retry_hourly, audit_daily, clean_up)
    ]

    assert told == [
        "0 interrupted, 0 restarted, 0 given up, 0 enqueued again",
        "runs started: –",
        "run started: –",
        "holes recorded: 0",
        "deleted: 0 runs, 0 failed jobs, 0 lines of activity",
    ]
