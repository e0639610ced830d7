"""几次补拉同时来占有记录:一条只归一次,也只取一次;很多记录也占得快。"""

from __future__ import annotations

from collections import Counter
from datetime import date
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from sync.engine.errors import UnknownSymbol
from sync.engine.ports import Page, PageRequest, Token
from sync.models import Stock, SyncFailure, SyncRun
from sync.models.failures import SyncFailureQuerySet
from sync.services import AlreadyRunning
from tests.fixtures import MakeToken, Provider
from tests.racing import at_once
from tests.rows import AT, run, stock

from .retries import (
    DONE,
    WAITS,
    Asking,
    before_next_update,
    executed,
    holders,
    outcome,
    registered,
    row,
)

ROUNDS = 10
PLACES = [("HK", "1"), ("HK", "2"), ("US", "1"), ("US", "2")]


@pytest.fixture
def token(make_token: MakeToken) -> None:
    make_token(minute_limit=0)


@pytest.mark.django_db
def test_of_two_that_saw_the_same_rows_the_later_gets_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch, first, second = run(), run(kind="retry"), run(kind="retry")
    row(stock("1").stock_code)
    row(stock("2").stock_code, run=batch)

    def claim_first() -> None:
        assert SyncFailure.objects.claim(run_id=first.pk) == 2

    with before_next_update(SyncFailureQuerySet, claim_first, patch=monkeypatch):
        claimed = SyncFailure.objects.claim(run_id=second.pk)

    assert claimed == 0
    assert holders() == {"1": first.pk, "2": first.pk}


@pytest.mark.django_db
def test_a_row_that_was_settled_between_looking_and_taking_is_not_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settled, retry = row(stock().stock_code), run(kind="retry")

    def settle() -> None:
        assert SyncFailure.objects.all().settle(at=AT) == 1

    with before_next_update(SyncFailureQuerySet, settle, patch=monkeypatch):
        claimed = SyncFailure.objects.claim(run_id=retry.pk)

    assert claimed == 0
    assert outcome(settled)[0] == DONE
    assert settled.run_id is None


@pytest.mark.django_db
def test_a_retry_revived_between_looking_and_taking_keeps_its_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old, new = run(kind="retry", state="interrupted"), run(kind="retry")
    row(stock().stock_code, run=old)

    def revive() -> None:
        assert SyncRun.objects.filter(pk=old.pk).update(state="queued") == 1

    with before_next_update(SyncFailureQuerySet, revive, patch=monkeypatch):
        claimed = SyncFailure.objects.claim(run_id=new.pk)

    assert claimed == 0
    assert holders() == {"700": old.pk}


@pytest.fixture
def race(make_token: MakeToken, provider: Provider) -> Asking:
    """四只股票、一个 Token,和一个什么也不认识的服务商。"""
    make_token(minute_limit=0)
    asking = Asking(unknown)
    provider(asking)
    for market, code in PLACES:
        stock(code, market=market)
    return asking


@pytest.mark.django_db(transaction=True)
def test_of_identical_retries_at_once_one_is_accepted(race: Asking) -> None:
    for _round in range(ROUNDS):
        SyncFailure.objects.all().delete()
        rows = [row(code, market=market) for market, code in PLACES]

        (made,) = race_of({}, {}, {})

        assert {one.run_id for one in SyncFailure.objects.all()} == {made.pk}
        assert (made.stocks, made.failed) == (4, 4)
        assert {outcome(one)[:2] for one in rows} == {(WAITS, 1)}
    assert Counter(map(where, race.asked)) == dict.fromkeys(PLACES, ROUNDS)


@pytest.mark.django_db(transaction=True)
def test_of_overlapping_retries_at_once_no_row_is_fetched_or_counted_twice(
    race: Asking,
) -> None:
    batches = [run(), run()]

    for _round in range(ROUNDS):
        SyncFailure.objects.all().delete()
        # Whoever recorded them, in another order in each market.
        recorded = zip(PLACES, [*batches, *reversed(batches)], strict=True)
        rows = [row(c, market=m, run=batch) for (m, c), batch in recorded]

        made = race_of({}, {"market": "US"}, {"stock_code": "2"}, {"market": "HK"})

        assert sum(one.failed for one in made) == len(PLACES)
        assert {outcome(one)[:2] for one in rows} == {(WAITS, 1)}
    assert Counter(map(where, race.asked)) == dict.fromkeys(PLACES, ROUNDS)


@pytest.mark.django_db(transaction=True)
def test_a_deadlock_registers_the_retry_once_more(
    token: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    row(stock("1").stock_code)
    claim = SyncFailureQuerySet.claim

    def lost(rows: SyncFailureQuerySet, *, run_id: int) -> int:
        monkeypatch.setattr(SyncFailureQuerySet, "claim", claim)
        claim(rows, run_id=run_id)
        raise OperationalError(1213, "Deadlock found when trying to get lock")

    monkeypatch.setattr(SyncFailureQuerySet, "claim", lost)

    made = registered()

    assert list(SyncRun.objects.all()) == [made]
    assert holders() == {"1": made.pk}


def race_of(*wishes: dict[str, Any]) -> list[SyncRun]:
    """同时登记这些补拉,然后执行登记到的。"""
    accepted = at_once([partial(registered_or_refused, **wish) for wish in wishes])
    return [executed(one) for one in accepted if one]


def registered_or_refused(**wanted: Any) -> SyncRun | None:
    try:
        return registered(**wanted)
    except AlreadyRunning:
        return None


def where(request: PageRequest) -> tuple[str, str]:
    return request.market, request.code


def unknown(_token: Token, request: PageRequest) -> Page:
    raise UnknownSymbol(f"{request.code} is not known")


# --- many -----------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("market", ["HK", ""], ids=["ours", "the plan's columns"])
def test_50_000_rows_are_claimed_in_few_statements(
    market: str,
) -> None:
    codes = [f"{number:04}" for number in range(5000)]
    Stock.objects.bulk_create(Stock(market="HK", stock_code=code) for code in codes)
    with connection.cursor() as cursor:
        for day in range(2, 12):
            cursor.execute(
                "INSERT INTO stk_sync_failure"
                " (stock_code, market, start_date, end_date)"
                " SELECT stock_code, %s, %s, %s FROM stk_stock_info",
                [market, date(2026, 2, day), date(2026, 2, day)],
            )

    with CaptureQueriesContext(connection) as queries:
        claimed = registered()

    assert SyncFailure.objects.filter(run=claimed, market="HK").count() == 50_000
    assert len(queries) < 70
