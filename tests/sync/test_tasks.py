"""任务队列的入口:晚到、重复的任务都没有害处。"""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import DjangoCaptureOnCommitCallbacks

from sync.models import SyncRun
from sync.services import doorbell, start
from sync.tasks import (
    audit_daily,
    clean_up,
    execute_shard,
    retry_hourly,
    revive_runs,
    sync_daily,
)

from .conftest import MakeToken, Provider
from .rows import AT, WINDOW, stock
from .runs import BARS, honest, started
from .test_requests import WANTED

pytestmark = pytest.mark.django_db


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """送去任务队列的任务。"""
    jobs: list[tuple[Any, ...]] = []

    def async_task(*arguments: Any, **_options: Any) -> None:
        jobs.append(arguments)

    monkeypatch.setattr(doorbell, "async_task", async_task)
    return jobs


def test_a_job_is_sent_once_the_run_is_stored(
    make_token: MakeToken,
    rung: list[tuple[Any, ...]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    make_token()

    with django_capture_on_commit_callbacks(execute=True):
        run = start(WANTED, at=AT, background=True)
        before = list(rung)

    assert (before, rung) == ([], [("sync.tasks.execute_shard", run.shards.get().pk)])


def test_a_run_in_this_process_sends_no_job(
    make_token: MakeToken,
    rung: list[tuple[Any, ...]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    make_token()

    with django_capture_on_commit_callbacks(execute=True):
        start(WANTED, at=AT)

    assert rung == []


def test_the_command_leaves_a_run_to_the_cluster(
    make_token: MakeToken, rung: list[tuple[Any, ...]]
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


def test_a_job_whose_run_is_gone_does_nothing() -> None:
    assert execute_shard(999_999) == "gone"


def test_the_schedules_jobs_say_what_they_have_done() -> None:
    told = [
        job() for job in (revive_runs, sync_daily, retry_hourly, audit_daily, clean_up)
    ]

    assert told == [
        "0 interrupted, 0 restarted, 0 given up, 0 rung again",
        "runs started: []",
        "run started: None",
        "holes recorded: 0",
        "deleted: 0 runs, 0 failed jobs",
    ]
