"""记录失败:同一件事等待着的只有一行,记不下来不妨碍别的。"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable
from datetime import date, timedelta
from functools import partial
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from django.db import connection, utils

from sync.engine.ports import Failure, Window
from sync.models import FailureStatus, SyncFailure
from sync.models.failures import SyncFailureQuerySet
from tests.racing import at_once

from ..rows import AT, WINDOW, failure, run, running_shard, stock, store

LATER = AT + timedelta(hours=1)
OVERLAP = 0.3  # seconds in which a second writer would come, were it let in


def record(*failures: Failure, run_id: int | None = None, **at: Any) -> None:
    SyncFailure.objects.record(failures, run_id=run_id, **{"at": AT, **at})


@pytest.mark.django_db
def test_a_failure_is_one_waiting_row() -> None:
    wanted = run()

    record(failure(stock("700")), run_id=wanted.pk)

    row = SyncFailure.objects.get()
    assert (row.market, row.stock_code, row.period) == ("HK", "700", "day")
    assert Window(row.start_date, row.end_date) == WINDOW
    assert (row.failure_reason, row.reason_class) == ("no answer in time", "timeout")
    assert (row.status, row.retry_count, row.run) == (FailureStatus.WAITING, 0, wanted)
    assert (row.create_time, row.update_time) == (AT, AT)


@pytest.mark.django_db
@pytest.mark.parametrize(("reason", "rows"), [("no_data", 1), ("timeout", 2)])
def test_what_was_given_up_for_good_is_not_filed_again(reason: str, rows: int) -> None:
    one = failure(stock(), reason=reason)
    record(one)
    SyncFailure.objects.update(status=FailureStatus.GIVEN_UP)

    record(one, at=LATER)

    assert SyncFailure.objects.count() == rows


@pytest.mark.django_db
def test_the_same_failure_again_only_renews_the_reason() -> None:
    one, again = stock(), run()
    record(failure(one))
    SyncFailure.objects.update(retry_count=2)

    newer = failure(one, text="the code is not known", reason="unknown_symbol")
    record(newer, run_id=again.pk, at=LATER)

    row = SyncFailure.objects.get()
    assert row.failure_reason == "the code is not known"
    assert (row.reason_class, row.run) == ("unknown_symbol", again)
    assert (row.create_time, row.update_time) == (AT, LATER)
    assert row.retry_count == 2


@pytest.mark.django_db
@pytest.mark.parametrize("untried", ["provider_down", "no_token", "cancelled"])
@pytest.mark.parametrize("known", ["timeout", "unknown_symbol"])
def test_of_one_that_was_not_tried_again_what_is_known_stays(
    known: str, untried: str
) -> None:
    one = stock()
    record(failure(one, reason=known, text="what is known"))

    record(failure(one, reason=untried, text="not tried"), at=LATER)

    row = SyncFailure.objects.get()
    assert (row.reason_class, row.failure_reason) == (known, "what is known")
    assert row.update_time == LATER


@pytest.mark.django_db
def test_the_same_failure_twice_in_one_call_is_one_row() -> None:
    one = stock()

    record(failure(one), failure(one, text="newer"))

    assert SyncFailure.objects.get().failure_reason == "newer"


@pytest.mark.django_db
@pytest.mark.parametrize("status", [FailureStatus.DONE, FailureStatus.GIVEN_UP])
def test_a_row_that_does_not_wait_is_left_alone(status: FailureStatus) -> None:
    one = stock()
    record(failure(one, text="old"))
    SyncFailure.objects.update(status=status)

    record(failure(one, text="new"))

    found = SyncFailure.objects.order_by("pk").values_list("status", "failure_reason")
    assert list(found) == [(status, "old"), (FailureStatus.WAITING, "new")]


@pytest.mark.django_db
def test_market_code_and_period_tell_failures_apart() -> None:
    shenzhen, shanghai = stock("1", market="SZ"), stock("1", market="SH")
    different = [
        failure(shenzhen),
        failure(shanghai),
        failure(shenzhen, period="1m"),
        failure(shenzhen, period="1M"),
        failure(stock("abc", market="SZ")),
        failure(stock("ABC", market="SZ")),
    ]

    record(*different)
    record(*different)

    assert SyncFailure.objects.count() == len(different)


def days(first: int, last: int, month: int = 3) -> Window:
    return Window(date(2026, month, first), date(2026, month, last))


def recorded_windows(*windows: Window, status: FailureStatus, **more: Any) -> list[Any]:
    """同一只股票先后失败:头一次之后,记录到了这个状态。"""
    one = stock()
    for window in windows:
        record(failure(one, window=window, **more))
        SyncFailure.objects.update(status=status)
    rows = SyncFailure.objects.order_by("pk")
    return [(row.start_date, row.end_date) for row in rows]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("windows", "rows"),
    [
        ([days(2, 9), days(2, 10), days(2, 11)], [days(2, 11)]),
        ([days(2, 9), days(12, 13)], [days(2, 13)]),
        ([days(12, 13), days(2, 9)], [days(2, 13)]),
        ([days(2, 13), days(5, 6)], [days(2, 13)]),
        (
            [days(2, 9), days(16, 20, month=4)],
            [Window(WINDOW.start, date(2026, 4, 20))],
        ),
    ],
)
def test_the_window_of_what_waits_grows(
    windows: list[Window], rows: list[Window]
) -> None:
    found = recorded_windows(*windows, status=FailureStatus.WAITING)

    assert found == [(row.start, row.end) for row in rows]


@pytest.mark.django_db
def test_a_gap_that_would_cost_more_calls_makes_another_row() -> None:
    years = [days(2, 9), Window(date(2010, 1, 4), date(2010, 1, 5))]
    months = [days(2, 9), days(16, 20, month=11)]

    assert len(recorded_windows(*years, status=FailureStatus.WAITING)) == 2
    SyncFailure.objects.all().delete()
    for window in months:
        record(failure(stock(window.start.isoformat()[:7]), window=window, period="1m"))
    assert SyncFailure.objects.count() == 2


@pytest.mark.django_db
def test_what_the_provider_has_not_for_good_grows_given_up() -> None:
    windows = [days(2, 9), days(2, 10), days(2, 16)]

    found = recorded_windows(
        *windows, status=FailureStatus.GIVEN_UP, reason="unknown_symbol"
    )

    assert found == [(date(2026, 3, 2), date(2026, 3, 16))]
    assert SyncFailure.objects.get().status == FailureStatus.GIVEN_UP


@pytest.mark.django_db
def test_what_is_given_up_and_lies_apart_is_another_matter() -> None:
    windows = [days(2, 9), days(12, 13)]

    found = recorded_windows(*windows, status=FailureStatus.GIVEN_UP, reason="no_data")

    assert len(found) == 2


@pytest.mark.django_db
def test_a_hole_keeps_its_days() -> None:
    one = stock()

    record(*(failure(one, window=days(n, n), reason="hole") for n in (3, 4, 9)))
    record(failure(one, window=days(2, 9)))

    assert SyncFailure.objects.count() == 4


@pytest.mark.django_db
def test_a_row_that_a_retry_holds_does_not_grow() -> None:
    one, retry = stock(), run(kind="retry", state="running", request_key="r")
    record(failure(one))
    SyncFailure.objects.update(run=retry)

    record(failure(one, window=days(2, 10)), at=LATER)
    record(failure(one, window=days(2, 11)), at=LATER)

    rows = SyncFailure.objects.order_by("pk").values_list("end_date", "run")
    assert list(rows) == [(WINDOW.end, retry.pk), (date(2026, 3, 11), None)]


@pytest.mark.django_db
def test_a_row_that_a_retry_takes_meanwhile_does_not_grow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, retry = stock(), run(kind="retry", state="running", request_key="r")
    record(failure(one))
    known = SyncFailureQuerySet._known

    def late(rows: SyncFailureQuerySet, failures: Iterable[Failure]) -> object:
        seen = known(rows, failures)
        assert SyncFailure.objects.claim(run_id=retry.pk) == 1
        return seen

    monkeypatch.setattr(SyncFailureQuerySet, "_known", late)
    record(failure(one, window=days(2, 10)))

    ends = SyncFailure.objects.order_by("pk").values_list("end_date", flat=True)
    assert list(ends) == [WINDOW.end, date(2026, 3, 10)]


@pytest.mark.django_db
def test_a_row_of_another_program_grows_as_ours_do() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO stk_sync_failure (stock_code, start_date, end_date) "
            "VALUES ('700', '2026-03-02', '2026-03-09')"
        )
    SyncFailure.objects.update(market="HK")  # as a retry finds out

    record(failure(stock(), window=days(5, 10)))

    row = SyncFailure.objects.get()
    assert (row.start_date, row.end_date) == (date(2026, 3, 2), date(2026, 3, 10))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "letter", ["x", "中", "😀", "e\u0301", "👨\u200d👩\u200d👧", "\U0010ffff", "\u0000"]
)
def test_a_long_reason_is_cut_at_500_characters(letter: str) -> None:
    text = letter * 600

    record(failure(stock(), text=text))
    record(failure(stock("701")), failure(stock("702"), text=text))

    rows = SyncFailure.objects.filter(stock_code__in=["700", "702"])
    assert [row.failure_reason for row in rows] == [text[:500]] * 2


@pytest.mark.django_db
def test_a_newer_long_reason_is_cut_too() -> None:
    one = stock()
    record(failure(one))

    record(failure(one, text="😀" * 600))

    assert SyncFailure.objects.get().failure_reason == "😀" * 500


@pytest.mark.django_db
def test_half_a_character_in_a_reason_is_replaced() -> None:
    one = stock()
    broken = failure(one, text="code \ud800")

    record(broken)
    record(broken)

    assert SyncFailure.objects.get().failure_reason == "code ?"


@pytest.mark.django_db
def test_what_cannot_be_recorded_leaves_nothing_half_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known, new = stock("1"), stock("2")
    record(failure(known, text="old"))

    def fail(*_arguments: object, **_options: object) -> None:
        raise utils.OperationalError("disk full")

    monkeypatch.setattr(SyncFailureQuerySet, "bulk_create", fail)
    with pytest.raises(utils.OperationalError):
        record(failure(known, text="new"), failure(new))

    assert SyncFailure.objects.get().failure_reason == "old"


@pytest.mark.django_db(transaction=True)
def test_two_at_once_record_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    one = stock()
    bulk_create = SyncFailureQuerySet.bulk_create
    both_have_looked = Barrier(2)

    def late(rows: SyncFailureQuerySet, new: Iterable[SyncFailure]) -> object:
        # Each waits a while for the other between looking and inserting.
        with contextlib.suppress(BrokenBarrierError):
            both_have_looked.wait(timeout=OVERLAP)
        return bulk_create(rows, new)

    monkeypatch.setattr(SyncFailureQuerySet, "bulk_create", late)

    at_once([partial(record, failure(one, text=text)) for text in ("a", "b")])

    assert SyncFailure.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_many_at_once_in_any_order_record_one_row_each() -> None:
    failures = [failure(stock(str(number))) for number in range(6)]
    orders = [failures, failures[::-1], failures[3:] + failures[:3]]

    at_once([partial(record, *order) for order in orders * 2])

    assert SyncFailure.objects.count() == len(failures)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "error",
    [
        utils.OperationalError(1366, "Incorrect value"),
        utils.DataError(1406, "Data too long"),
        utils.IntegrityError("constraint"),
        utils.ProgrammingError("no such table"),
        utils.InterfaceError("not the right number of parameters"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_that_cannot_be_recorded_is_logged_and_stops_nothing(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shard = running_shard()

    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(SyncFailureQuerySet, "record", fail)

    store(shard).record([failure(stock())])

    (entry,) = caplog.records
    assert (entry.levelno, entry.getMessage()) == (
        logging.ERROR,
        "1 failures could not be recorded",
    )
    assert entry.__dict__["event"] == "failure.unrecorded"


@pytest.mark.django_db
def test_recording_is_tried_again_after_a_deadlock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shard = running_shard()
    real = SyncFailureQuerySet.record

    def fail_once(rows: SyncFailureQuerySet, *args: Any, **options: Any) -> None:
        monkeypatch.setattr(SyncFailureQuerySet, "record", real)
        raise utils.OperationalError(1213, "Deadlock found")

    monkeypatch.setattr(SyncFailureQuerySet, "record", fail_once)

    store(shard).record([failure(stock())])

    assert SyncFailure.objects.get().run == shard.run


@pytest.mark.django_db
def test_waiting_rows_are_found_by_stock_market_and_attempts() -> None:
    for market, code, tried in (("HK", "700", 0), ("HK", "5", 3), ("SZ", "700", 1)):
        record(failure(stock(code, market=market)))
        SyncFailure.objects.filter(market=market, stock_code=code).update(
            retry_count=tried, create_time=AT, last_retry_time=AT
        )

    def found(**wanted: Any) -> list[str]:
        rows = SyncFailure.objects.waiting(**wanted).order_by("pk")
        return [f"{row.market} {row.stock_code}" for row in rows]

    assert found() == ["HK 700", "HK 5", "SZ 700"]
    assert found(stock_code="700") == ["HK 700", "SZ 700"]
    assert found(market="HK") == ["HK 700", "HK 5"]
    assert found(max_retry_count=3) == ["HK 700", "SZ 700"]
    assert found(market="SZ", max_retry_count=1) == []
    assert str(SyncFailure.objects.get(market="SZ")).startswith("SZ 700 2026-03-02")
