"""各种不能用的 Token:换一个接着取,坏在哪里看得见。"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync.services import NoUsableToken
from sync.simulator import Account, Quirks, demo_accounts
from tokens.models import ApiToken

from . import world
from .conftest import Simulate
from .world import SPRING

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
]
ENABLED, DISABLED = ApiToken.Status.ENABLED, ApiToken.Status.DISABLED


def test_a_plan_that_lacks_the_market_is_left_out_of_it_and_kept_for_others(
    simulate: Simulate,
) -> None:
    accounts = [
        Account("key-for-sh-only-01", markets=frozenset({"SH"})),
        Account("key-for-all-mkt-02"),
    ]
    sim = simulate(accounts=accounts, stocks=12)
    lacking, _ = world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK", "SH")
    both = world.request(*SPRING, markets=("HK", "SH"))

    first = world.synced(both)
    again = world.synced(world.request(*SPRING, markets=("HK",), force=True))

    lacking.refresh_from_db()
    assert (first.state, first.succeeded) == ("succeeded", 24)
    assert (lacking.status, lacking.excluded_markets) == (ENABLED, "HK")
    assert "only supports subscribing SH" in lacking.last_error
    assert again.tokens_per_thread == [1]
    # One in vain, a half of SH, nothing of the second HK.
    assert 1 < len(sim.ledger["key-for-sh-only-01"].calls) <= 12
    assert world.differences(sim, both) == []


@pytest.mark.parametrize("answer", ["http_401", "http_403", "body_e002"])
def test_a_key_on_the_wrong_host_is_disabled_after_one_call(
    simulate: Simulate, answer: str
) -> None:
    mine, other = demo_accounts(2)
    # Slow enough that the other token has its calls before the stocks are gone.
    sim = simulate(accounts=[mine], stocks=12, latency=0.1)
    elsewhere = simulate(
        accounts=[],
        stocks=12,
        quirks=Quirks(bad_key=answer),  # type: ignore[arg-type]
    )
    world.hold_tokens(sim, [mine])
    [wrong] = world.hold_tokens(elsewhere, [other])
    world.hold_stocks(sim, "HK")
    wanted = world.request(*SPRING)

    run = world.synced(wanted)

    wrong.refresh_from_db()
    assert (run.state, run.succeeded, run.calls) == ("succeeded", 12, 13)
    assert (elsewhere.asked, wrong.status) == (1, DISABLED)
    begins, _colon, provider_said = wrong.last_error.partition(": ")
    assert begins.startswith("The provider refused the token")
    assert provider_said == "Invalid API key in request"
    assert world.differences(sim, wanted) == []


def test_an_expired_a_disabled_and_a_deleted_token_are_never_sent(
    simulate: Simulate,
) -> None:
    accounts = demo_accounts(4)
    sim = simulate(accounts=accounts, stocks=12)
    world.hold_tokens(sim, accounts[:1], expire_time=datetime(2026, 1, 1, tzinfo=UTC))
    world.hold_tokens(sim, accounts[1:2], status=DISABLED)
    world.hold_tokens(sim, accounts[2:3], deleted=True)
    world.hold_tokens(sim, accounts[3:])
    world.hold_stocks(sim, "HK")

    run = world.synced(world.request(*SPRING))

    made = [len(usage.calls) for _, usage in sorted(sim.ledger.items())]
    assert (run.state, made) == ("succeeded", [0, 0, 0, 12])


def test_with_expired_tokens_only_the_run_is_refused_with_the_date(
    simulate: Simulate,
) -> None:
    accounts = demo_accounts(2)
    sim = simulate(accounts=accounts, stocks=2)
    world.hold_tokens(sim, accounts, expire_time=datetime(2026, 1, 1, tzinfo=UTC))
    world.hold_stocks(sim, "HK")

    with pytest.raises(NoUsableToken, match="expired, the last 2026-01-01 00:00 UTC"):
        world.synced(world.request(*SPRING))

    assert sim.asked == 0


def test_unknown_symbols_fail_alone_and_cost_no_token(simulate: Simulate) -> None:
    accounts = demo_accounts(2)
    sim = simulate(accounts=accounts, stocks=10)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    world.hold_unknown("HK", "9991", "9992")
    wanted = world.request(*SPRING)

    run = world.synced(wanted)

    assert (run.state, run.succeeded, run.failed) == ("partial", 10, 2)
    assert run.reasons == {"unknown_symbol": 2}
    assert set(world.failures()) == {"9991", "9992"}
    assert ApiToken.objects.filter(status=ENABLED, last_error="").count() == 2
    assert world.differences(sim, wanted) == []


def test_000001_of_shanghai_and_of_shenzhen_are_two_stocks(simulate: Simulate) -> None:
    accounts = demo_accounts(2)
    sim = simulate(accounts=accounts, stocks=3)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "SH", "SZ")
    wanted = world.request(*SPRING, markets=("SH", "SZ"), codes=("000001",))

    run = world.synced(wanted)

    shanghai, shenzhen = world.stored("SH"), world.stored("SZ")
    assert (run.state, run.succeeded) == ("succeeded", 2)
    assert shanghai == world.truth(sim, wanted, "SH", codes=["000001"])
    assert shenzhen == world.truth(sim, wanted, "SZ", codes=["000001"])
    assert shanghai != shenzhen
