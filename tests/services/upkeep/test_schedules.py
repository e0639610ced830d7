"""时间表:怎样建,每小时的补拉,每夜的核对。"""

from __future__ import annotations

import inspect
import logging
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils.module_loading import import_string
from django_q import scheduler
from django_q.models import OrmQ, Schedule

from common.activity import SCHEDULE
from sync import tasks
from sync.models import SyncFailure, SyncRun
from sync.services import audit_daily, retry_hourly, setup_schedules
from sync.services.upkeep import schedules
from sync.services.upkeep.schedules import ENTRIES, Entry
from tests.fixtures import MakeToken
from tests.racing import Meeting, at_once
from tests.rows import failure, stock

from ..quality.auditing import SESSIONS, loaded, march

# What async_task takes for itself.
OPTIONS = {
    *("hook", "group", "save", "sync", "cached", "ack_failure", "iter_count"),
    *("iter_cached", "chain", "broker", "cluster", "timeout", "q_options"),
    *("task_name",),
}
NOW = datetime(2026, 3, 9, 9, 10, tzinfo=UTC)


@pytest.fixture
def token(make_token: MakeToken) -> None:
    """一个可用的 Token。"""
    make_token()


@pytest.mark.django_db
def test_setup_creates_what_is_missing_and_leaves_what_staff_changed() -> None:
    Schedule.objects.create(
        name=ENTRIES[1].name, func="sync.tasks.sync_daily", minutes=5, repeats=0
    )

    first, second = setup_schedules(at=NOW), setup_schedules(at=NOW)

    names = [entry.name for entry in ENTRIES]
    assert first.kept == [ENTRIES[1].name]
    assert (first.created, second.created) == ([*names[:1], *names[2:]], [])
    assert second.kept == names
    edited = Schedule.objects.get(name=ENTRIES[1].name)
    assert (edited.minutes, edited.repeats) == (5, 0)
    assert Schedule.objects.count() == len(ENTRIES)


@pytest.mark.django_db(transaction=True)
def test_two_machines_at_once_make_each_schedule_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meeting, row = Meeting(2), schedules._row

    def met(entry: Entry, *, at: datetime) -> Schedule:
        meeting()  # both have seen that there is none
        return row(entry, at=at)

    monkeypatch.setattr(schedules, "_row", met)

    at_once([partial(setup_schedules, at=NOW)] * 2)

    names = Schedule.objects.order_by("name").values_list("name", flat=True)
    assert list(names) == sorted(entry.name for entry in ENTRIES)


@pytest.mark.django_db
def test_every_schedule_names_a_job_of_ours_and_passes_nothing() -> None:
    setup_schedules(at=NOW)

    for row in Schedule.objects.all():
        row.full_clean()
        assert inspect.getmodule(import_string(row.func)) is tasks
        assert (row.args, row.kwargs, row.repeats) == (None, None, -1)


@pytest.mark.django_db
def test_daily_schedules_begin_at_their_hour_and_the_others_at_once() -> None:
    setup_schedules(at=NOW)

    first = dict(Schedule.objects.values_list("func", "next_run"))

    assert first["sync.tasks.clean_up"] == datetime(2026, 3, 10, 3, tzinfo=UTC)
    assert first["sync.tasks.sync_stocks"] == datetime(2026, 3, 15, tzinfo=UTC)
    assert first["sync.tasks.revive_runs"] == NOW


@pytest.mark.django_db
def test_the_command_says_what_it_made_and_what_it_left() -> None:
    out = StringIO()

    call_command("setup_schedules", stdout=out)
    call_command("setup_schedules", stdout=out)

    lines = out.getvalue().splitlines()
    assert lines[: len(ENTRIES)] == [f"created: {entry.name}" for entry in ENTRIES]
    assert lines[len(ENTRIES) :] == [
        f"left as it is: {entry.name}" for entry in ENTRIES
    ]


@pytest.mark.django_db(transaction=True)
def test_the_scheduler_of_the_queue_turns_each_into_a_job() -> None:
    past = datetime.now(UTC) - timedelta(days=15)
    setup_schedules(at=past)

    scheduler.scheduler()

    sent = sorted(row.task["func"] for row in OrmQ.objects.all())
    assert sent == sorted(entry.func for entry in ENTRIES)
    # Missed times are not made up for.
    assert not Schedule.objects.filter(next_run__lt=datetime.now(UTC)).exists()


def test_no_job_has_a_parameter_that_the_queue_takes_for_itself() -> None:
    jobs = [
        job
        for name, job in inspect.getmembers(tasks, inspect.isfunction)
        if job.__module__ == tasks.__name__ and not name.startswith("_")
    ]

    parameters = {name for job in jobs for name in inspect.signature(job).parameters}

    assert len(jobs) > len(ENTRIES)
    assert parameters & OPTIONS == set()


@pytest.mark.django_db
def test_a_retry_is_started_only_where_failures_wait(token: None) -> None:
    nothing = retry_hourly(at=NOW)
    SyncFailure.objects.record([failure(stock("1"))], run_id=None, at=NOW)
    run_id = retry_hourly(at=NOW)

    assert nothing is None
    run = SyncRun.objects.get()
    assert (run.pk, run.kind, run.requested_by) == (run_id, "retry", SCHEDULE)
    assert SyncFailure.objects.held_by(run.pk).count() == 1


@pytest.mark.django_db
def test_no_second_retry_is_started_while_one_is_going(
    token: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    SyncFailure.objects.record([failure(stock("1"))], run_id=None, at=NOW)
    retry_hourly(at=NOW)
    SyncFailure.objects.record([failure(stock("2"))], run_id=None, at=NOW)

    assert retry_hourly(at=NOW) is None

    assert SyncRun.objects.count() == 1
    assert "of the schedule is still going" in caplog.text


@pytest.mark.django_db
def test_rows_that_a_persons_retry_holds_are_left_to_it(
    token: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    SyncFailure.objects.record([failure(stock("1"))], run_id=None, at=NOW)
    retry_hourly(at=NOW)
    SyncRun.objects.update(requested_by="ann")

    assert retry_hourly(at=NOW) is None

    assert SyncRun.objects.count() == 1
    assert "No scheduled retry: A retry of these failures is running" in caplog.text


@pytest.mark.django_db
def test_the_daily_audit_files_recent_holes_and_names_short_days(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loaded("1")
    loaded("2", without=march(5))

    first = audit_daily(at=datetime(2026, 3, 14, 2, tzinfo=UTC))
    late = audit_daily(at=datetime(2026, 5, 1, 2, tzinfo=UTC))

    assert [found.recorded for found in first] == [1]
    assert [found.stocks for found in late] == [0]
    assert SyncFailure.objects.get().start_date == SESSIONS[3]
    assert "HK: 1 of 2 stocks have a bar of 2026-03-05" in caplog.text
