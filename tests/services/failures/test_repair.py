"""补一个缺口:登记,马上补拉。"""

from __future__ import annotations

from datetime import date

import pytest

from sync import services
from sync.models import SyncFailure
from tests.fixtures import MakeToken
from tests.rows import AT, session, stock

pytestmark = pytest.mark.django_db

START, END = date(2026, 3, 3), date(2026, 3, 4)


def traded() -> None:
    for day in range(2, 7):
        session(date(2026, 3, day))


def test_a_gap_becomes_a_failure_that_a_run_in_the_background_holds(
    make_token: MakeToken,
) -> None:
    make_token()
    traded()

    run = services.repair(stock(), "day", start=START, end=END, at=AT, by="otto")

    row = SyncFailure.objects.get()
    assert (row.start_date, row.end_date, row.reason_class) == (START, END, "hole")
    assert (row.run_id, run.background, run.requested_by) == (run.pk, True, "otto")


def test_one_that_is_filed_already_is_not_filed_twice(make_token: MakeToken) -> None:
    make_token()
    traded()
    SyncFailure.objects.create(
        stock_code="700",
        market="HK",
        start_date=START,
        end_date=END,
        reason_class="hole",
        status=0,
    )

    run = services.repair(stock(), "day", start=START, end=END, at=AT)

    assert SyncFailure.objects.get().run_id == run.pk


def test_only_the_failures_of_the_gap_are_fetched(make_token: MakeToken) -> None:
    make_token()
    traded()
    other = SyncFailure.objects.create(
        stock_code="700", market="HK", start_date="2026-01-05", end_date="2026-01-06"
    )

    services.repair(stock(), "day", start=START, end=END, at=AT)

    other.refresh_from_db()
    assert other.run_id is None


def test_where_the_market_had_no_session_there_is_nothing_to_repair(
    make_token: MakeToken,
) -> None:
    make_token()

    with pytest.raises(services.BadRequest, match="no session"):
        services.repair(stock(), "day", start=START, end=END, at=AT)

    assert not SyncFailure.objects.exists()


def test_without_a_token_it_is_refused() -> None:
    traded()

    with pytest.raises(services.NoUsableToken):
        services.repair(stock(), "day", start=START, end=END, at=AT)

    assert not SyncFailure.objects.exists()
