"""kill -9:马上可以再来,什么也不丢,什么也不多取。"""

from __future__ import annotations

import json
from functools import partial

import pytest

from sync.models import Coverage, SyncRun
from sync.simulator import demo_accounts

from . import world
from .conftest import Simulate
from .processes import finished, kill_once, manage, managing
from .world import SPRING

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
    pytest.mark.runs_on("sqlite", "mariadb"),
]
COMMAND = [
    *("sync_klines", "--market", "HK", "--json"),
    *("--start", str(SPRING[0]), "--end", str(SPRING[1])),
]


def test_the_same_request_is_accepted_at_once_and_completes_what_was_killed(
    simulate: Simulate,
) -> None:
    accounts = demo_accounts(12)
    sim = simulate(accounts=accounts, stocks=300)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    wanted = world.request(*SPRING)

    with managing(*COMMAND) as process:
        # What has been written by then is there; the last batch dies with the process.
        sim.at_call(250, partial(kill_once, Coverage.objects.exists, process))
        killed = finished(process)
    done = 300 - len(world.uncovered(wanted))
    left = SyncRun.objects.get()
    again = manage(*COMMAND)

    told = json.loads(again.stdout)
    assert (killed.returncode, killed.stdout, left.state) == (-9, "", "running")
    assert 0 < done < 300
    assert (again.returncode, told["state"]) == (0, "succeeded")
    assert (told["skipped"], told["calls"]) == (done, 300 - done)
    left.refresh_from_db()
    assert (left.state, left.request_key) == ("interrupted", None)
    assert left.error == "The process that worked on it has died."
    assert world.differences(sim, wanted) == []
    assert world.breaches(sim.ledger) == []
    assert world.held_tokens() == []


def test_killed_again_and_again_it_still_ends_with_the_truth(
    simulate: Simulate,
) -> None:
    accounts = demo_accounts(12)
    sim = simulate(accounts=accounts, stocks=60, latency=0.03)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    wanted = world.request(*SPRING)

    for number in (2, 40):
        sim.asked = 0
        with managing(*COMMAND) as process:
            sim.at_call(number, process.kill)
            assert finished(process).returncode == -9
    last = manage(*COMMAND)

    states = list(SyncRun.objects.order_by("pk").values_list("state", flat=True))
    assert (last.returncode, states) == (0, ["interrupted"] * 2 + ["succeeded"])
    assert world.differences(sim, wanted) == []
    assert world.held_tokens() == []
