"""服务商半路停机:熔断,记下剩下的,恢复以后全部补齐。"""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command
from pytest_django import Settings

from sync.models import SyncFailure
from sync.simulator import demo_accounts
from tokens.models import ApiToken

from . import world
from .conftest import Simulate
from .world import SPRING, Staged

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
]
COMMAND = [
    *("sync_klines", "--market", "HK", "--json"),
    *("--start", str(SPRING[0]), "--end", str(SPRING[1])),
]


def staged(simulate: Simulate, *, stocks: int) -> Staged:
    """十二个 Token,一条通道一个。"""
    accounts = demo_accounts(12)
    sim = simulate(accounts=accounts, stocks=stocks)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    return sim


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("mode", ["reset", "503"])
def test_the_breaker_stops_the_run_and_the_next_run_stores_the_rest(
    simulate: Simulate, settings: Settings, mode: str
) -> None:
    settings.STOCK_SYNC_TOKENS_PER_THREAD = 1
    sim = staged(simulate, stocks=300)
    sim.at_call(100, lambda: sim.down(mode))
    wanted = world.request(*SPRING)
    said = StringIO()

    with pytest.raises(SystemExit) as left:
        call_command(*COMMAND, stdout=said)
    lost = world.failures()
    sim.up()
    second = world.synced(wanted)

    told = json.loads(said.getvalue())
    assert (left.value.code, told["state"], told["threads"]) == (3, "partial", 10)
    assert told["succeeded"] + told["failed"] == 300
    assert len(lost) == told["failed"] >= 190
    assert list(lost.values()).count("provider_down") > 150
    assert told["calls"] < 200
    assert (second.state, second.calls) == ("succeeded", len(lost))
    assert world.failures() == {}
    assert world.differences(sim, wanted) == []


@pytest.mark.usefixtures("quick")
def test_nobody_there_at_all_is_recorded_as_just_that(simulate: Simulate) -> None:
    sim = staged(simulate, stocks=3)
    # Nobody listens there.
    ApiToken.objects.update(base_url="http://127.0.0.1:9")

    run = world.synced(world.request(*SPRING))

    assert (run.state, run.failed, run.reasons) == ("failed", 3, {"unreachable": 3})
    assert set(SyncFailure.objects.values_list("failure_reason", flat=True)) == {
        "The connection to 127.0.0.1 failed: Connection refused"
    }
    assert world.held_tokens() == []
    assert sim.asked == 0
