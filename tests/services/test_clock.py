"""各台机器共用的钟。"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from sync import services
from sync.services import clock as shared
from sync.services.clock import SharedClock

HOUR = 3600.0

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SharedClock, "_shift", None)


def test_it_tells_the_machine_s_time_until_it_has_been_set() -> None:
    assert SharedClock().epoch() == pytest.approx(time.time(), abs=5)


def test_the_database_is_asked_in_utc() -> None:
    assert shared.database_time() == pytest.approx(time.time(), abs=5)


def test_the_time_is_the_database_s_whatever_the_machine_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if connection.vendor == "mysql":
        truth = time.time()
        monkeypatch.setattr(time, "time", lambda: truth - HOUR)
    else:  # the database of this machine goes by this machine's clock
        truth = time.time() - HOUR
        monkeypatch.setattr(time, "time", lambda: truth)

    told = services.now()

    assert told.timestamp() == pytest.approx(truth, abs=5)
    assert told.tzinfo is UTC


def test_once_set_it_goes_on_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([100.0, 100.0, 130.0])
    monkeypatch.setattr(SharedClock, "now", lambda _: next(ticks))
    monkeypatch.setattr(shared, "database_time", lambda: 5_000.0)
    clock = SharedClock()

    clock.set()

    assert shared.moment() == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
        seconds=5_030
    )


def test_an_answer_is_from_the_middle_of_the_time_it_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks = iter([100.0, 100.5, 101.0])
    monkeypatch.setattr(SharedClock, "now", lambda _: next(ticks))
    monkeypatch.setattr(shared, "database_time", lambda: 5_000.0)
    clock = SharedClock()

    clock.set()

    assert clock.epoch() == pytest.approx(5_000.75)


def test_a_process_that_was_frozen_while_it_asked_asks_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks = iter([100.0, 3_700.0, 3_700.0, 3_700.0, 3_700.0])
    told = iter([5_000.0, 8_600.0])
    monkeypatch.setattr(SharedClock, "now", lambda _: next(ticks))
    monkeypatch.setattr(shared, "database_time", lambda: next(told))
    clock = SharedClock()

    clock.set()

    assert clock.epoch() == pytest.approx(8_600.0)


def test_answers_that_are_all_slow_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks = iter([100.0, 100.0, *(200.0, 400.0) * 3, 3_800.0])
    told = iter([5_000.0, *(5_100.0,) * 3])
    monkeypatch.setattr(SharedClock, "now", lambda _: next(ticks))
    monkeypatch.setattr(shared, "database_time", lambda: next(told))
    clock = SharedClock()

    clock.set()
    clock.set()

    assert clock.epoch() == pytest.approx(8_700.0)
