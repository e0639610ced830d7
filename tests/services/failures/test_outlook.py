"""失败记录的前景:谁要动手,下一次什么时候试。"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django_q.models import Schedule
from pytest_django import DjangoAssertNumQueries

from sync import services
from sync.models import SyncFailure
from sync.services import Acts, Advice
from sync.services.failures import outlook as module
from tests.fixtures import MakeToken
from tests.rows import AT, run

from .retries import DONE, GIVEN_UP, WAITS, row

pytestmark = pytest.mark.django_db

NEXT = AT + timedelta(minutes=20)
MIDNIGHT = datetime(2026, 3, 11, tzinfo=UTC)


def scheduled(**columns: Any) -> None:
    usual = {"func": "sync.tasks.retry_hourly", "next_run": NEXT, "repeats": -1}
    Schedule.objects.create(**usual | columns)


def outlook(of: SyncFailure) -> services.Outlook:
    return services.Outlooks(at=AT).of(of)


# --- one row ---


@pytest.mark.parametrize(
    ("columns", "acts", "advice"),
    [
        ({"status": DONE}, Acts.HEALED, Advice.NONE),
        ({"status": GIVEN_UP}, Acts.GIVEN_UP, Advice.NONE),
        ({"reason_class": "timeout"}, Acts.ITSELF, Advice.NONE),
        ({"reason_class": "no_token"}, Acts.ITSELF, Advice.NONE),
        ({"reason_class": ""}, Acts.ITSELF, Advice.NONE),
        ({"market": ""}, Acts.ITSELF, Advice.NONE),
        ({"retry_count": None, "status": None}, Acts.ITSELF, Advice.NONE),
        ({"retry_count": 2}, Acts.ITSELF, Advice.NONE),
        ({"retry_count": 3}, Acts.YOU, Advice.EXHAUSTED),
        ({"reason_class": "unknown_symbol"}, Acts.YOU, Advice.UNKNOWN),
        ({"reason_class": "contradiction"}, Acts.YOU, Advice.CONTRADICTION),
        ({"reason_class": "token_rejected"}, Acts.YOU, Advice.TOKENS),
        ({"market": "US"}, Acts.YOU, Advice.NO_TOKEN),
        ({"market": "US", "status": GIVEN_UP}, Acts.GIVEN_UP, Advice.NONE),
    ],
)
def test_who_has_to_act_and_what_to_do(
    make_token: MakeToken, columns: dict[str, Any], acts: Acts, advice: Advice
) -> None:
    make_token(markets="HK")
    scheduled()

    found = outlook(row(**columns))

    assert (found.acts, found.advice) == (acts, advice)


def test_the_next_try_is_when_the_schedule_fires(make_token: MakeToken) -> None:
    make_token(markets="HK")
    scheduled()

    assert outlook(row()).next_try == NEXT
    assert outlook(row(market="US")).next_try is None
    assert outlook(row("5", retry_count=3)).next_try is None


def test_a_schedule_that_is_late_fires_now(make_token: MakeToken) -> None:
    make_token(markets="HK")
    scheduled(next_run=AT - timedelta(minutes=1))

    assert outlook(row()).next_try == AT


def test_where_the_quota_is_spent_it_is_tried_when_it_begins_anew(
    make_token: MakeToken,
) -> None:
    spent: dict[str, Any] = {"daily_limit": 5, "daily_used": 5, "usage_date": AT.date()}
    make_token(markets="HK", **spent)
    make_token(markets="US")
    scheduled()

    assert outlook(row()).next_try == MIDNIGHT
    assert outlook(row(market="US")).next_try == NEXT


@pytest.mark.parametrize("columns", [None, {"repeats": 0}])
def test_without_a_schedule_or_with_one_that_is_paused_it_needs_you(
    make_token: MakeToken, columns: dict[str, Any] | None
) -> None:
    make_token(markets="HK")
    if columns:
        scheduled(**columns)

    found = outlook(row())

    assert (found.acts, found.advice) == (Acts.YOU, Advice.NO_SCHEDULE)
    assert found.next_try is None


def test_where_nobody_does_what_is_due_it_needs_you(make_token: MakeToken) -> None:
    make_token(markets="HK")
    scheduled()
    late = row("5", market="US")
    at = NEXT + timedelta(minutes=6)

    dead, slow = services.Outlooks(at=at), services.Outlooks(at=NEXT)

    found = dead.of(row())
    assert (found.acts, found.advice) == (Acts.YOU, Advice.NO_WORKER)
    assert found.next_try is None
    assert list(dead.filtered(SyncFailure.objects.of_stock("5"), Acts.YOU)) == [late]
    assert dead.counts(dead.cells()).counts[Acts.YOU] == 2
    assert slow.of(row("6")).acts == Acts.ITSELF


def test_one_that_is_being_fetched_says_by_which_run(make_token: MakeToken) -> None:
    make_token(markets="HK")
    scheduled()
    busy, over = run(kind="retry", state="running"), run(kind="retry", state="failed")

    held, left = outlook(row(run=busy)), outlook(row("5", run=over))

    assert (held.run_id, held.next_try) == (busy.pk, None)
    assert (left.run_id, left.next_try) == (None, NEXT)


def test_without_any_token_everything_that_waits_needs_you() -> None:
    scheduled()

    assert outlook(row()).advice == Advice.NO_TOKEN
    assert outlook(row("5", market="")).advice == Advice.NO_TOKEN


# --- many rows ---


def spread() -> None:
    """各种前景的记录。"""
    kinds: tuple[dict[str, Any], ...] = (
        {},
        {"reason_class": "no_data"},
        {"retry_count": None},
        {"market": ""},
        {"reason_class": "unknown_symbol"},
        {"reason_class": "contradiction"},
        {"market": "US"},
        {"market": "US", "reason_class": "unknown_symbol"},
        {"retry_count": 3},
        {"status": GIVEN_UP},
        {"status": DONE},
        {"status": DONE, "market": "US"},
    )
    for number, columns in enumerate(kinds):
        row(str(number), **({"status": WAITS} | columns))


@pytest.mark.parametrize("tokens", [("HK",), ("HK", "US"), ()])
@pytest.mark.parametrize("schedule", [True, False])
def test_filters_counts_and_each_row_agree(
    make_token: MakeToken, tokens: tuple[str, ...], schedule: bool
) -> None:
    for market in tokens:
        make_token(markets=market)
    if schedule:
        scheduled()
    spread()
    outlooks = services.Outlooks(at=AT)
    rows = SyncFailure.objects.all()
    one_by_one = {
        acts: {one.pk for one in rows if outlooks.of(one).acts == acts} for acts in Acts
    }

    filtered = {
        acts: set(outlooks.filtered(rows, acts).values_list("pk", flat=True))
        for acts in Acts
    }
    counted = outlooks.counts(outlooks.cells())

    assert filtered == one_by_one
    assert counted.counts == {acts: len(found) for acts, found in one_by_one.items()}
    assert counted.more == frozenset()


def test_cells_are_counted_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch, make_token: MakeToken
) -> None:
    monkeypatch.setattr(module, "BOUND", 2)
    make_token()
    scheduled()
    for number in range(3):
        row(str(number))
    row("9", reason_class="no_data")
    outlooks = services.Outlooks(at=AT)

    cells = [cell for cell, _acts in outlooks.cells()]
    counted = outlooks.counts(outlooks.cells())

    assert [(cell.reason, cell.count, cell.more) for cell in cells] == [
        ("no_data", 1, False),
        ("timeout", 2, True),
    ]
    assert counted.counts[Acts.ITSELF] == 3
    assert counted.more == frozenset({Acts.ITSELF})


def test_a_page_of_them_costs_as_much_as_one(
    make_token: MakeToken, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_token()
    scheduled()
    spread()
    rows = list(SyncFailure.objects.all())

    with django_assert_num_queries(4):
        outlooks = services.Outlooks(at=AT)
        for one in rows:
            outlooks.of(one)


# --- notes ---


def test_a_note_keeps_who_wrote_it_and_when() -> None:
    of = row()

    services.note_failure(of, "  delisted,\n says the desk ", at=AT, by="otto")

    [noted] = of.notes.all()
    assert (noted.text, noted.by, noted.at) == ("delisted, says the desk", "otto", AT)


@pytest.mark.parametrize("text", ["", " \n", "x" * 501])
def test_nothing_and_too_much_is_no_note(text: str) -> None:
    of = row()

    with pytest.raises(services.BadRequest):
        services.note_failure(of, text, at=AT, by="otto")

    assert not of.notes.exists()


# --- what a retry costs ---


def test_windows_of_a_stock_are_merged_and_stocks_share_calls(
    make_token: MakeToken,
) -> None:
    make_token(markets="HK", batch_size=5, minute_limit=0)
    for code in ("1", "2", "3"):
        row(code)
    row("1", start_date="2026-03-05")
    row("4", status=DONE)

    cost = services.retry_cost(SyncFailure.objects.all(), at=AT)

    assert (cost.failures, cost.calls, cost.more) == (4, 1, False)
    assert cost.seconds == pytest.approx(0.3)


def test_a_minute_limit_makes_it_take_minutes(make_token: MakeToken) -> None:
    make_token(markets="HK", minute_limit=5)
    for number in range(12):
        row(str(number))

    cost = services.retry_cost(SyncFailure.objects.all(), at=AT)

    assert cost.calls == 12
    assert cost.seconds is not None
    assert 120 <= cost.seconds < 180


def test_what_no_token_serves_costs_nothing_and_only_so_many_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, make_token: MakeToken
) -> None:
    monkeypatch.setattr("sync.services.runs.retry_cost.MOST", 2)
    make_token(markets="HK", minute_limit=0)
    row("1", market="US")
    row("2", market="XX")
    row("3")

    cost = services.retry_cost(SyncFailure.objects.all(), at=AT)

    assert (cost.calls, cost.more) == (1, True)
