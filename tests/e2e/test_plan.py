"""计划里的集成测试:300 只股票,12 个 Token,两条通道各 6 个。"""

from __future__ import annotations

from functools import partial

import pytest
from django.utils import timezone

from sync import services
from sync.models import FailureStatus, SyncFailure
from sync.services import NoUsableToken
from sync.simulator import Account, demo_accounts
from tokens.models import ApiToken

from . import world
from .conftest import Simulate
from .world import QUARTER, SPRING, YEAR, Staged

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
]
REJECTED = "The provider refused the token (HTTP 401): Invalid API key in request"


@pytest.fixture
def sim(simulate: Simulate) -> Staged:
    """计划里的规模。"""
    accounts = demo_accounts(12)
    sim = simulate(accounts=accounts, stocks=300)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    return sim


@pytest.mark.runs_on("sqlite", "mariadb")
def test_300_stocks_are_stored_value_by_value_and_a_second_run_makes_no_call(
    sim: Staged,
) -> None:
    wanted = world.request(*YEAR)

    first = world.synced(wanted)
    calls = world.calls(sim)
    second = world.synced(wanted)

    assert (first.state, first.threads, first.tokens_per_thread) == (
        "succeeded",
        2,
        [6, 6],
    )
    assert (first.stocks, first.succeeded, first.failed) == (300, 300, 0)
    assert first.calls == calls
    assert (second.state, second.calls, second.skipped) == ("succeeded", 0, 300)
    assert world.calls(sim) == calls
    assert world.differences(sim, wanted) == []
    assert world.breaches(sim.ledger) == []


def test_with_tokens_revoked_in_the_middle_the_others_finish_the_market(
    sim: Staged,
) -> None:
    wanted = world.request(*QUARTER)
    gone = [f"simulated-token-{number:02d}" for number in (1, 5, 9)]
    for place, key in enumerate(gone):
        sim.at_call(60 + 40 * place, partial(sim.revoke, key))

    run = world.synced(wanted)

    out = ApiToken.objects.filter(status=ApiToken.Status.DISABLED)
    assert (run.state, run.succeeded, run.failed) == ("succeeded", 300, 0)
    assert {token.name: token.last_error for token in out} == {
        key[-2:]: REJECTED for key in gone
    }
    assert [sim.ledger[key].rejected for key in gone] == [1, 1, 1]
    assert world.differences(sim, wanted) == []
    assert world.held_tokens() == []


def test_with_all_tokens_revoked_the_rest_is_recorded(sim: Staged) -> None:
    wanted = world.request(*QUARTER)
    keys = list(sim.ledger)
    sim.at_call(150, lambda: [sim.revoke(key) for key in keys])

    run = world.synced(wanted)

    rows = SyncFailure.objects.waiting()
    lost = {row.stock_code for row in rows}
    assert (run.state, run.succeeded + run.failed) == ("partial", 300)
    assert {row.failure_reason for row in rows} == {"Token不可用"}
    assert {(row.start_date, row.end_date) for row in rows} == {QUARTER}
    assert len(rows) == len(lost) == run.failed > 100
    assert lost == world.uncovered(wanted)
    assert world.differences(sim, wanted, without=lost) == []
    assert not ApiToken.objects.filter(status=ApiToken.Status.ENABLED).exists()
    assert world.held_tokens() == []
    with pytest.raises(NoUsableToken, match="No token of itick is enabled"):
        world.synced(wanted)


def test_a_retry_with_new_tokens_fetches_what_was_recorded(
    sim: Staged, simulate: Simulate
) -> None:
    wanted = world.request(*SPRING)
    keys = list(sim.ledger)
    sim.at_call(250, lambda: [sim.revoke(key) for key in keys])
    first = world.synced(wanted)
    account = Account("simulated-token-new")
    # Another simulator tells the same story.
    fresh = simulate(accounts=[account], stocks=300)
    world.hold_tokens(fresh, [account])

    retry = world.executed(services.retry_failed(at=timezone.now()))

    rows = SyncFailure.objects.all()
    assert first.failed == len(rows) > 30
    assert {row.status for row in rows} == {FailureStatus.DONE}
    assert (retry.kind, retry.state, retry.calls) == (
        "retry",
        "succeeded",
        first.failed,
    )
    assert world.calls(fresh) == first.failed
    assert world.failures() == {}
    assert world.differences(sim, wanted) == []
