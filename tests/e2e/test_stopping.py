"""Ctrl-C 和 SIGTERM:五秒之内停下,存好的留着,Token 放开。"""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
from django.core.management import call_command

from sync.models import SyncRun
from sync.simulator import demo_accounts
from tokens.models import ApiToken

from . import world
from .cluster import cluster
from .conftest import Simulate
from .processes import PATIENCE, finished, manage, managing, until
from .world import SPRING

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
]
COMMAND = [
    *("sync_klines", "--market", "HK"),
    *("--start", str(SPRING[0]), "--end", str(SPRING[1])),
]
AT_MOST = 5  # seconds, promised


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_calls_that_hang_within_five_seconds(
    simulate: Simulate, number: signal.Signals
) -> None:
    accounts = demo_accounts(12)
    sim = simulate(accounts=accounts, stocks=20, latency=60)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    hanging = Event()
    sim.at_call(2, hanging.set)

    with managing(*COMMAND, "--json") as process:
        assert hanging.wait(PATIENCE)
        process.send_signal(number)
        process.wait(AT_MOST)
        told = json.loads(finished(process).stdout)
    run = SyncRun.objects.get()
    held = world.held_tokens()
    sim.latency = 0
    again = manage(*COMMAND, "--json")

    assert (process.returncode, told["state"], run.state) == (
        4,
        "interrupted",
        "interrupted",
    )
    assert held == []
    assert again.returncode == 0
    assert json.loads(again.stdout)["succeeded"] == 20
    assert world.differences(sim, world.request(*SPRING)) == []


def test_a_cancelled_run_stops_within_five_seconds_and_keeps_its_tokens_free(
    simulate: Simulate,
) -> None:
    accounts = demo_accounts(12)
    sim = simulate(accounts=accounts, stocks=20, latency=60)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    hanging = Event()
    sim.at_call(2, hanging.set)

    with managing(*COMMAND, "--json") as process:
        assert hanging.wait(PATIENCE)
        run = SyncRun.objects.get()
        call_command("cancel_run", str(run.pk), stdout=StringIO())
        process.wait(AT_MOST)
        told = json.loads(finished(process).stdout)

    run.refresh_from_db()
    assert (process.returncode, told["state"], run.state) == (
        4,
        "cancelled",
        "cancelled",
    )
    assert world.held_tokens() == []
    assert world.failures() == {}


def test_what_was_fetched_before_the_signal_is_stored_and_the_words_say_how_to_go_on(
    simulate: Simulate,
) -> None:
    accounts = demo_accounts(12)
    sim = simulate(accounts=accounts, stocks=30, latency=0.02)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    wanted = world.request(*SPRING)

    with managing(*COMMAND) as process:
        sim.at_call(15, lambda: process.send_signal(signal.SIGINT))
        stopped = finished(process)
    done = 30 - len(world.uncovered(wanted))
    again = manage(*COMMAND, "--json")

    assert stopped.returncode == 4
    assert "run the same command to go on" in stopped.stdout
    assert 12 <= done < 30
    assert json.loads(again.stdout)["calls"] == 30 - done
    assert world.differences(sim, wanted) == []
    assert world.failures() == {}


def test_a_run_that_waits_for_tokens_says_for_whom_and_stops_at_a_signal(
    simulate: Simulate,
) -> None:
    accounts = demo_accounts(2)
    sim = simulate(accounts=accounts, stocks=2)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    ApiToken.objects.update(
        leased_by="run 99 shard 0 claim 1",
        leased_at=datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
        leased_until=datetime.now(UTC) + timedelta(hours=1),
    )

    with managing(*COMMAND) as process:
        assert process.stderr is not None
        said = next(line for line in process.stderr if line.startswith("waiting"))
        process.terminate()
        process.wait(AT_MOST)

    assert said == (
        "waiting: Every usable token with calls left is held by "
        "run 99 since 2026-03-02 09:30 UTC.\n"
    )
    assert process.returncode == 4
    assert SyncRun.objects.get().state == "interrupted"
    assert world.calls(sim) == 0


def test_a_cluster_that_is_stopped_puts_its_runs_back_within_seconds(
    simulate: Simulate, tmp_path: Path
) -> None:
    accounts = demo_accounts(12)
    sim = simulate(accounts=accounts, stocks=20, latency=60)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    hanging = Event()
    sim.at_call(2, hanging.set)

    with cluster(tmp_path):
        manage(*COMMAND, "--background")
        assert hanging.wait(PATIENCE)
        began = monotonic()
    took = monotonic() - began
    run = SyncRun.objects.get()
    left = (run.state, run.shards.get().attempts, world.held_tokens())
    sim.latency = 0
    with cluster(tmp_path):
        until(lambda: SyncRun.objects.get().state == "succeeded")

    # The processes of qcluster itself need a moment to end as well.
    assert took < AT_MOST + 5
    assert left == ("queued", 0, [])
    assert SyncRun.objects.get().succeeded == 20
    assert world.differences(sim, world.request(*SPRING)) == []
