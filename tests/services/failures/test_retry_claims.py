"""补拉怎样占有记录:每条同时只归一次补拉。"""

from __future__ import annotations

from typing import Any

import pytest

from sync.models import SyncFailure, SyncRun
from sync.services import AlreadyRunning, Refused, cancel
from sync.services.processes import this_process
from tests.fixtures import MakeToken, Provider
from tests.rows import AT, SECOND, failure, run, stock

from ..shards.test_reap import GONE
from .retries import WAITS, Asking, executed, holders, march, outcome, registered, row


@pytest.fixture
def token(make_token: MakeToken) -> None:
    make_token(minute_limit=0)


# --- which rows -----------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.usefixtures("token")
@pytest.mark.parametrize(
    ("wanted", "codes"),
    [
        ({}, ["HK 1", "HK 2", "US 1"]),
        ({"market": "HK"}, ["HK 1", "HK 2"]),
        ({"stock_code": "1"}, ["HK 1", "US 1"]),
        ({"stock_code": "1", "market": "US"}, ["US 1"]),
        ({"max_retry_count": 2}, ["HK 1", "US 1"]),
        ({"max_retry_count": 9}, ["HK 1", "HK 2", "HK 3", "US 1"]),
        ({"stock_code": "999"}, []),
    ],
    ids=str,
)
def test_takes_the_waiting_rows_that_are_asked_for(
    wanted: dict[str, Any], codes: list[str]
) -> None:
    for market, code, tried in (
        ("HK", "1", 0),
        ("HK", "2", 2),
        ("HK", "3", 3),
        ("US", "1", 1),
    ):
        row(stock(code, market=market).stock_code, market=market, retry_count=tried)
    row("1", status=1)
    row("1", status=2)

    claimed = registered(**wanted)

    held = SyncFailure.objects.filter(run=claimed)
    assert sorted(f"{row.market} {row.stock_code}" for row in held) == codes


@pytest.mark.django_db
@pytest.mark.usefixtures("token")
def test_takes_only_the_rows_it_is_given() -> None:
    stock()
    mine, _other = row(window=march(2, 3)), row(window=march(5, 6))

    claimed = registered(rows=SyncFailure.objects.filter(pk=mine.pk))

    assert SyncFailure.objects.get(run=claimed) == mine


@pytest.mark.django_db
@pytest.mark.usefixtures("token")
@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"max_retry_count": 0}, "must be 1 or more"),
        ({"max_retry_count": -1}, "must be 1 or more"),
        ({"market": "XX"}, "Unknown market 'XX'"),
    ],
)
def test_a_bad_value_is_refused(wanted: dict[str, Any], why: str) -> None:
    row(stock().stock_code)

    with pytest.raises(Refused, match=why):
        registered(**wanted)

    assert (SyncRun.objects.count(), holders()) == (0, {"700": None})


@pytest.mark.django_db
def test_without_a_token_nothing_is_taken() -> None:
    row(stock().stock_code)

    with pytest.raises(Refused, match="没有可用的 Token"):
        registered()

    assert (SyncRun.objects.count(), holders()) == (0, {"700": None})


# --- two retries ----------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("background", [True, False])
def test_the_second_of_two_identical_retries_is_refused(background: bool) -> None:
    row(stock().stock_code)
    first = registered(background=background)

    with pytest.raises(AlreadyRunning, match="A retry of these failures is running"):
        registered(background=background)

    assert list(SyncRun.objects.all()) == [first]
    assert holders() == {"700": first.pk}


@pytest.mark.django_db
@pytest.mark.usefixtures("token")
def test_a_second_retry_takes_what_the_first_has_not() -> None:
    for code in ("1", "2"):
        row(stock(code).stock_code)
    first = registered(stock_code="1")

    second = registered()

    assert holders() == {"1": first.pk, "2": second.pk}


@pytest.mark.django_db
@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("state", ["partial", "failed", "cancelled", "interrupted"])
def test_the_rows_of_a_retry_that_has_ended_are_free(state: str) -> None:
    row(stock().stock_code, run=run(kind="retry", state=state))

    claimed = registered()

    assert holders() == {"700": claimed.pk}


@pytest.mark.django_db
@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("state", ["queued", "running"])
def test_the_rows_of_a_retry_that_is_active_are_not(state: str) -> None:
    row(stock().stock_code, run=run(kind="retry", state=state))

    with pytest.raises(AlreadyRunning):
        registered()


@pytest.mark.django_db
@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("there", [True, False])
def test_the_run_that_recorded_a_row_does_not_hold_it(there: bool) -> None:
    batch = run(state="running")
    row(stock().stock_code, run=batch)
    if not there:
        SyncRun.objects.all()._raw_delete("default")

    claimed = registered()

    assert holders() == {"700": claimed.pk}


@pytest.mark.django_db
@pytest.mark.usefixtures("token")
def test_a_batch_that_fails_again_does_not_take_a_row_from_its_retry() -> None:
    one = stock()
    held, free = row(), row(window=march(5, 6))
    retry = registered(rows=SyncFailure.objects.filter(pk=held.pk))
    batch = run()

    SyncFailure.objects.record(
        [failure(one, text="new"), failure(one, window=march(5, 6), text="new")],
        run_id=batch.pk,
        at=AT,
    )

    found = dict(SyncFailure.objects.values_list("pk", "run_id"))
    assert found == {held.pk: retry.pk, free.pk: batch.pk}
    assert set(SyncFailure.objects.values_list("failure_reason")) == {("new",)}


# --- let go ---------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.usefixtures("token")
def test_the_rows_of_a_retry_whose_process_is_dead_are_free_at_once() -> None:
    held = row(stock().stock_code)
    dead = registered()
    shard = dead.shards.get()
    assert type(shard).objects.claim(shard, process=GONE, at=AT) == 1

    claimed = registered(at=AT + SECOND)

    dead.refresh_from_db()
    assert (dead.state, holders()) == ("interrupted", {"700": claimed.pk})
    assert outcome(held) == (WAITS, 0, "timeout")


@pytest.mark.django_db
@pytest.mark.usefixtures("token")
def test_the_rows_of_a_queued_retry_that_is_cancelled_are_free_at_once(
    provider: Provider,
) -> None:
    held, asking = row(stock().stock_code), Asking()
    provider(asking)
    first = registered(background=True)

    cancelled = cancel(first.pk, at=AT)
    with pytest.raises(AlreadyRunning):
        executed(first)
    second = registered()

    assert (cancelled.state, asking.asked) == ("cancelled", [])
    assert holders() == {"700": second.pk}
    assert outcome(held) == (WAITS, 0, "timeout")


@pytest.mark.django_db
@pytest.mark.usefixtures("token")
def test_a_retry_in_this_process_is_alive() -> None:
    row(stock().stock_code)
    first = registered()

    with pytest.raises(AlreadyRunning):
        registered(at=AT + 59 * SECOND)

    assert first.shards.get().process == this_process()
