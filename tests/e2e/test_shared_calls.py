"""几只股票共用一次请求:存下的与真相逐值相同,请求少到十分之一。"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from django.utils import timezone

from sync import services
from sync.models import Coverage, SyncFailure
from sync.simulator import Account, Faults, Quirks, demo_accounts
from sync.simulator.answers import Answer
from tokens.models import ApiToken

from . import world
from .conftest import Simulate
from .world import QUARTER, SATURDAY, SPRING, YEAR, Staged

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
]


def tens(count: int) -> list[Account]:
    """Accounts that serve ten stocks a call."""
    return demo_accounts(count, batch_size=10)


def batch_sizes() -> list[int]:
    tokens = ApiToken.objects.order_by("pk")
    return [token.batch_learned or token.batch_size for token in tokens]


def test_a_first_load_and_a_days_top_up_take_a_tenth_of_the_calls(
    simulate: Simulate,
) -> None:
    accounts = tens(12)
    sim = simulate(accounts=accounts, stocks=60)
    world.hold_tokens(sim, accounts, batch_size=10)
    world.hold_stocks(sim, "HK")
    start, end = QUARTER
    up_to = world.request(start, date(2026, 3, 30))
    wanted = world.request(start, end)

    first = world.synced(up_to)
    topped = world.synced(wanted)

    assert (first.state, first.succeeded, first.calls) == ("succeeded", 60, 6)
    assert (topped.state, topped.succeeded, topped.calls) == ("succeeded", 60, 6)
    assert topped.klines < 60 * 2
    assert world.calls(sim) == 12
    assert world.differences(sim, wanted) == []
    assert world.uncovered(wanted) == set()
    assert world.breaches(sim.ledger) == []


def test_windows_that_differ_a_little_share_and_store_no_more_than_was_missing(
    simulate: Simulate,
) -> None:
    accounts = tens(1)
    sim = simulate(accounts=accounts, stocks=10)
    world.hold_tokens(sim, accounts, batch_size=10)
    world.hold_stocks(sim, "HK")
    wanted = world.request(*SPRING)
    world.synced(world.request(SPRING[0], date(2026, 3, 20)))
    stale = Coverage.objects.filter(stock__stock_code__in=("700", "701", "702"))
    stale.update(end_date=date(2026, 3, 11))

    run = world.synced(wanted)

    before = 3 * 12 + 7 * 5  # weekdays that were missing
    assert (run.state, run.succeeded, run.calls) == ("succeeded", 10, 1)
    assert run.klines <= before
    assert world.differences(sim, wanted) == []


@pytest.mark.parametrize(
    ("period", "stamp"),
    [
        ("1m", "utc_midnight"),
        ("5m", "utc_midnight"),
        ("week", "utc_midnight"),
        ("week", "exchange_midnight"),
        ("month", "session_open"),
    ],
)
def test_every_period_is_shared(simulate: Simulate, period: str, stamp: str) -> None:
    accounts = tens(1)
    sim = simulate(
        accounts=accounts,
        stocks=10,
        now=SATURDAY,
        quirks=Quirks(stamp=stamp),  # type: ignore[arg-type]
    )
    world.hold_tokens(sim, accounts, batch_size=10)
    world.hold_stocks(sim, "HK")
    days = (date(2025, 12, 1), date(2026, 5, 31))  # whole weeks and whole months
    if period.endswith("m"):
        days = (date(2026, 6, 17), date(2026, 6, 17))  # one page
    wanted = world.request(*days, period=period)

    run = world.synced(wanted, now=lambda: SATURDAY)

    assert (run.state, run.succeeded, run.calls) == ("succeeded", 10, 1)
    assert world.differences(sim, wanted) == []


@pytest.mark.parametrize("gap", ["missing", "null", "empty"])
def test_codes_that_are_missing_from_the_answer_are_asked_for_singly(
    simulate: Simulate, gap: str
) -> None:
    accounts = tens(2)
    sim = simulate(
        accounts=accounts,
        stocks=10,
        quirks=Quirks(batch_gap=gap),  # type: ignore[arg-type]
    )
    world.hold_tokens(sim, accounts, batch_size=10)
    world.hold_stocks(sim, "HK")
    world.hold_unknown("HK", "9991", "9992")
    wanted = world.request(*SPRING)

    run = world.synced(wanted)

    assert (run.state, run.succeeded, run.failed) == ("partial", 10, 2)
    assert world.failures() == dict.fromkeys(("9991", "9992"), "unknown_symbol")
    assert world.differences(sim, wanted) == []
    assert run.calls <= 2 + 3 + 2
    assert batch_sizes() == [10, 10]


class Forgetful(Staged):
    """Leaves a stock that it knows out of every answer for several."""

    def answer(self, path: str, query: str, *, key: str | None) -> Answer:
        answer = super().answer(path, query, key=key)
        if path != "/stock/klines":
            return answer
        body = json.loads(answer.body)
        body["data"].pop("703", None)
        return replace(answer, body=json.dumps(body).encode())


def test_a_stock_forgotten_in_the_answer_is_stored_all_the_same() -> None:
    accounts = tens(1)
    with Forgetful(accounts=accounts, stocks=10) as sim:
        assert isinstance(sim, Staged)
        world.hold_tokens(sim, accounts, batch_size=10)
        world.hold_stocks(sim, "HK")
        wanted = world.request(*SPRING)

        run = world.synced(wanted)

        assert (run.state, run.succeeded, run.calls) == ("succeeded", 10, 2)
        assert world.differences(sim, wanted) == []


def test_a_batch_above_the_plan_lowers_the_tokens_batch_size(
    simulate: Simulate, caplog: pytest.LogCaptureFixture
) -> None:
    accounts = tens(2)
    sim = simulate(accounts=accounts, stocks=30, quirks=Quirks(batch_cap=3))
    world.hold_tokens(sim, accounts, batch_size=10)
    world.hold_stocks(sim, "HK")
    wanted = world.request(*SPRING)

    first = world.synced(wanted)
    again = world.synced(replace(wanted, force=True))

    assert (first.state, first.succeeded, first.failed) == ("succeeded", 30, 0)
    assert batch_sizes() == [2, 2]
    assert "10 stocks in one call came back empty, at most 5 for a day" in caplog.text
    assert first.calls <= 15 + 2 * 2  # two answers in vain from each token
    assert (again.state, again.calls) == ("succeeded", 15)
    assert world.differences(sim, wanted) == []


def test_tokens_of_different_plans_serve_one_market(simulate: Simulate) -> None:
    accounts = [*tens(2), *demo_accounts(1, batch_size=3), *demo_accounts(2)]
    accounts = [
        replace(account, key=f"key-of-a-plan-{number}")
        for number, account in enumerate(accounts)
    ]
    sim = simulate(accounts=accounts, stocks=60)
    for account in accounts:
        world.hold_tokens(sim, [account], batch_size=account.batch_size)
    world.hold_stocks(sim, "HK")
    wanted = world.request(*SPRING)

    run = world.synced(wanted)

    assert (run.state, run.succeeded, run.failed) == ("succeeded", 60, 0)
    # A round of the five tokens serves 10 + 10 + 3 + 1 + 1 stocks.
    assert run.calls <= 5 * 60 / 25 + 3
    assert batch_sizes() == [10, 10, 3, 1, 1]
    assert world.differences(sim, wanted) == []
    assert world.breaches(sim.ledger) == []


def test_pages_shorter_than_the_window_are_gone_on_from(simulate: Simulate) -> None:
    accounts = tens(2)
    sim = simulate(accounts=accounts, stocks=20, quirks=Quirks(page_cap=200))
    world.hold_tokens(sim, accounts, batch_size=10)
    world.hold_stocks(sim, "HK")
    wanted = world.request(*YEAR)

    run = world.synced(wanted)

    assert (run.state, run.succeeded) == ("succeeded", 20)
    assert run.calls <= 2 + 20
    assert world.differences(sim, wanted) == []


def test_with_all_tokens_revoked_no_stock_of_a_shared_call_is_lost(
    simulate: Simulate,
) -> None:
    accounts = tens(2)
    sim = simulate(accounts=accounts, stocks=60)
    world.hold_tokens(sim, accounts, batch_size=10)
    world.hold_stocks(sim, "HK")
    wanted = world.request(*SPRING)
    sim.at_call(4, lambda: [sim.revoke(account.key) for account in accounts])

    run = world.synced(wanted)

    lost = set(world.failures())
    assert (run.state, run.succeeded, run.failed) == ("partial", 30, 30)
    assert set(world.failures().values()) == {"no_token"}
    assert lost == world.uncovered(wanted)
    assert world.differences(sim, wanted, without=lost) == []


@pytest.mark.usefixtures("quick")
def test_a_retry_shares_calls_as_well(simulate: Simulate) -> None:
    accounts = tens(2)
    sim = simulate(accounts=accounts, stocks=40)
    world.hold_tokens(sim, accounts, batch_size=10)
    world.hold_stocks(sim, "HK")
    wanted = world.request(*SPRING)
    sim.down("503")
    first = world.synced(wanted)
    sim.up()

    retry = world.executed(services.retry_failed(at=timezone.now()))

    assert (first.state, first.failed) == ("failed", 40)
    assert (retry.state, retry.succeeded, retry.calls) == ("succeeded", 40, 4)
    assert world.differences(sim, wanted) == []


@pytest.mark.usefixtures("quick")
def test_with_a_third_of_the_calls_at_fault_nothing_wrong_is_stored(
    simulate: Simulate,
) -> None:
    accounts = tens(6)
    quirks = Quirks(rate_limit="http_429_retry_after")
    sim = simulate(accounts=accounts, stocks=60, quirks=quirks)
    sim.faults = replace(Faults.mixed(0.3, seed=3), timeout=0.0, drip=0.0)
    world.hold_tokens(sim, accounts, batch_size=10)
    world.hold_stocks(sim, "HK")
    wanted = world.request(*SPRING)

    run = world.synced(wanted)

    lost = {row.stock_code for row in SyncFailure.objects.waiting()}
    assert run.succeeded + run.failed == 60
    assert run.succeeded > 40
    assert world.never_wrong(sim, wanted) == []
    assert world.holes(sim, wanted, without=lost) == 0
