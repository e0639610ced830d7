"""对数据库的耐心:什么再做一遍,做多久,什么时候马上放弃。"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat, takewhile
from threading import Event

import pytest
from django.db.utils import (
    DatabaseError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
)

from sync.engine.errors import LostLease
from sync.storage.retrying import DatabaseRetry, Unavailable
from tests.engine.fakes import FakeClock

DEADLOCK = OperationalError(1213, "Deadlock found when trying to get lock")
GONE = OperationalError(2006, "Server has gone away")
REFUSED = OperationalError(2002, "Can't connect to server on 'db' (115)")


class Failing:
    """先按顺序抛出这些错误,然后成功。"""

    def __init__(self, *errors: Exception) -> None:
        self._errors: Iterator[Exception] = iter(errors)
        self.attempts = 0

    def __call__(self) -> str:
        self.attempts += 1
        if error := next(self._errors, None):
            raise error
        return "done"


class Away(Failing):
    """数据库不在,直到时钟走到 `until`。"""

    def __init__(self, clock: FakeClock, *, until: float) -> None:
        errors = chain([GONE], repeat(REFUSED))
        super().__init__()
        self._errors = takewhile(lambda _error: clock.now() < until, errors)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def retrying(clock: FakeClock) -> DatabaseRetry:
    return DatabaseRetry(stop=Event(), clock=clock)


@pytest.mark.parametrize(
    "error",
    [
        DEADLOCK,
        OperationalError(1205, "Lock wait timeout exceeded"),
        OperationalError(1317, "Query execution was interrupted"),
        OperationalError("database is locked"),
        OperationalError("database table is locked: stk_kline"),
    ],
    ids=str,
)
def test_a_lock_is_tried_five_times(
    error: Exception, retrying: DatabaseRetry, clock: FakeClock
) -> None:
    work, never = Failing(*[error] * 4), Failing(*[error] * 9)

    result = retrying(work)
    with pytest.raises(type(error)) as caught:
        retrying(never)

    assert (result, work.attempts) == ("done", 5)
    assert (caught.value, never.attempts) == (error, 5)
    assert clock.waits == pytest.approx([0.2, 0.4, 0.8, 1.0] * 2)


@pytest.mark.parametrize(
    "error",
    [
        GONE,
        REFUSED,
        OperationalError(2013, "Lost connection to server during query"),
        OperationalError(2055, "Lost connection to server, system error"),
        OperationalError(2026, "SSL connection error"),
        OperationalError(1927, "Connection was killed"),
        OperationalError(1053, "Server shutdown in progress"),
        OperationalError(1040, "Too many connections"),
        OperationalError(1047, "WSREP has not yet prepared node for application use"),
        OperationalError(1290, "The server is running with --read-only"),
        OperationalError(2003, "Can't connect to server"),
        InterfaceError(0, ""),
        InterfaceError("connection already closed"),
        OperationalError("disk I/O error"),
        OperationalError("unable to open database file"),
        OperationalError("attempt to write a readonly database"),
    ],
    ids=repr,
)
def test_a_database_that_is_away_is_waited_for(
    error: Exception, retrying: DatabaseRetry, clock: FakeClock
) -> None:
    work = Failing(*[error] * 9)

    result = retrying(work)

    assert (result, work.attempts) == ("done", 10)
    assert clock.waits == pytest.approx([0.4, 0.8, *[1.0] * 6])


@pytest.mark.parametrize(
    "error",
    [
        OperationalError(1045, "Access denied"),
        OperationalError(1054, "Unknown column"),
        OperationalError("no such table: stk_kline"),
        OperationalError(),
        DatabaseError("database disk image is malformed"),
        IntegrityError(1062, "Duplicate entry 'database is locked'"),
        ProgrammingError(1146, "Table doesn't exist"),
        LostLease("taken over"),
        ValueError("a fault of ours"),
    ],
    ids=repr,
)
def test_what_does_not_pass_is_raised_at_once(
    error: Exception, retrying: DatabaseRetry, clock: FakeClock
) -> None:
    work = Failing(error)

    with pytest.raises(type(error)) as caught:
        retrying(work)

    assert (caught.value, work.attempts, clock.waits) == (error, 1, [])


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("database or disk is full"),
        OperationalError(1114, "The table 'stk_kline' is full"),
        OperationalError(1021, "Disk full (/tmp/x); waiting for space"),
        OperationalError(1026, "Error writing file 'x' (errno: 28)"),
        OperationalError(1030, 'Got error 28 "No space left on device" from InnoDB'),
        InternalError(3, "Error writing file 'x' (Errcode: 28)"),
    ],
    ids=repr,
)
def test_a_full_disk_is_not_waited_for(
    error: Error, retrying: DatabaseRetry, clock: FakeClock
) -> None:
    work = Failing(error)

    with pytest.raises(Unavailable, match=r"disk of the database is full.*make room"):
        retrying(work)

    assert (work.attempts, clock.waits) == (1, [])


def test_a_database_is_waited_for_two_minutes(
    retrying: DatabaseRetry, clock: FakeClock
) -> None:
    assert retrying(Away(clock, until=119.5)) == "done"

    assert 119.5 <= clock.now() <= 121


def test_after_two_minutes_one_sentence_says_what_to_do(
    retrying: DatabaseRetry, clock: FakeClock
) -> None:
    with pytest.raises(Unavailable) as caught:
        retrying(Away(clock, until=1000))

    assert 120 <= clock.now() <= 121
    assert str(caught.value) == (
        "The database has been away for 120 seconds: "
        "Can't connect to server on 'db' (115). "
        "What was fetched before is stored: start the run again to go on."
    )
    assert caught.value.__cause__ is REFUSED


def test_once_the_two_minutes_are_over_all_else_is_tried_once(
    retrying: DatabaseRetry, clock: FakeClock
) -> None:
    with pytest.raises(Unavailable):
        retrying(Away(clock, until=1000))
    after = clock.now()
    once = Away(clock, until=1000)

    with pytest.raises(Unavailable):
        retrying(once)

    assert (once.attempts, clock.now()) == (1, after)


def test_each_outage_has_its_own_two_minutes(
    retrying: DatabaseRetry, clock: FakeClock
) -> None:
    for until in (100.0, 200.0, 300.0):
        assert retrying(Away(clock, until=until)) == "done"


def test_a_stale_connection_is_made_anew_without_a_word_or_a_pause(
    retrying: DatabaseRetry, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    assert retrying(Failing(GONE)) == "done"

    assert (clock.waits, caplog.messages) == ([], [])


def test_going_and_coming_back_are_each_said_once(
    retrying: DatabaseRetry, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    retrying(Away(clock, until=30))

    lost, found = caplog.records
    assert (lost.levelname, found.levelname) == ("WARNING", "INFO")
    assert lost.getMessage().startswith("The database is away, waiting up to 120")
    assert found.getMessage() == "The database is back after 30 seconds"


def test_who_is_asked_to_stop_tries_a_stale_connection_and_waits_no_more(
    clock: FakeClock,
) -> None:
    stop = Event()
    stop.set()
    retrying, away = DatabaseRetry(stop=stop, clock=clock), Away(clock, until=1000)

    healed = retrying(Failing(GONE))
    with pytest.raises(Unavailable):
        retrying(away)

    assert (healed, away.attempts, clock.waits) == ("done", 2, [])


def test_a_stop_ends_the_waiting(clock: FakeClock) -> None:
    stop = Event()
    away = Away(clock, until=1000)

    def stopped_meanwhile() -> str:
        if clock.now() > 5:
            stop.set()
        return away()

    with pytest.raises(Unavailable, match="away for 5 seconds"):
        DatabaseRetry(stop=stop, clock=clock)(stopped_meanwhile)
