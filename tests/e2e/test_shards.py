"""几个进程一起做一次运行:一条命令和一个任务集群。"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from sync.models import ShardState, SyncRun, SyncShard
from sync.services import revive
from sync.simulator import demo_accounts

from . import world
from .cluster import cluster
from .conftest import Simulate
from .processes import finished, manage, managing, until
from .world import SPRING, Staged

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
    pytest.mark.runs_on("sqlite", "mariadb"),
]
COMMAND = [
    *("sync_klines", "--market", "HK", "--shards", "2", "--json"),
    *("--start", str(SPRING[0]), "--end", str(SPRING[1])),
]


def workers() -> set[str]:
    """正在执行分片的进程。"""
    running = SyncShard.objects.filter(state=ShardState.RUNNING)
    return set(running.values_list("process", flat=True))


def staged(simulate: Simulate, **options: Any) -> Staged:
    """十二个 Token,四十只股票。"""
    accounts = demo_accounts(12)
    sim = simulate(accounts=accounts, stocks=40, **options)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    return sim


def test_a_command_and_a_cluster_share_a_run(
    simulate: Simulate, tmp_path: Path
) -> None:
    sim = staged(simulate)
    together: list[set[str]] = []

    def meet() -> None:
        until(lambda: len(workers()) == 2)
        together.append(workers())

    sim.at_call(1, meet)

    with cluster(tmp_path):
        done = manage(*COMMAND)

    told = json.loads(done.stdout)
    assert (done.returncode, told["state"], told["succeeded"]) == (0, "succeeded", 40)
    # Whoever is left alone takes the tokens of who is done: then there is a third lane.
    assert (told["calls"], told["tokens_per_thread"][:2]) == (40, [6, 6])
    assert len(together) == 1
    assert world.differences(sim, world.request(*SPRING)) == []
    assert world.breaches(sim.ledger) == []
    assert world.held_tokens() == []


def test_the_shard_of_a_killed_process_is_taken_over(
    simulate: Simulate, tmp_path: Path
) -> None:
    sim = staged(simulate)

    with cluster(tmp_path), managing(*COMMAND) as process:

        def kill() -> None:
            until(lambda: len(workers()) == 2)
            process.kill()

        sim.at_call(1, kill)
        assert finished(process).returncode == -9
        done = revive(at=timezone.now())
        until(lambda: SyncRun.objects.get().state == "succeeded")

    run = SyncRun.objects.get()
    assert done.restarted == [run.pk]
    assert sorted(run.shards.values_list("attempts", flat=True)) == [1, 2]
    assert (run.stocks, run.failed) == (40, 0)
    # Of a killed process the calls under way are made again, at most one a lane.
    assert 40 <= world.calls(sim) <= 42
    assert world.differences(sim, world.request(*SPRING)) == []
    # Its last call is still open at the simulator when another process makes one.
    assert all("at once" in text for text in world.breaches(sim.ledger))
    assert world.held_tokens() == []


def test_a_signal_to_the_command_stops_the_run_for_all(
    simulate: Simulate, tmp_path: Path
) -> None:
    sim = staged(simulate, latency=0.5)

    with cluster(tmp_path), managing(*COMMAND) as process:

        def stop() -> None:
            until(lambda: len(workers()) == 2)
            process.terminate()

        sim.at_call(1, stop)
        left = finished(process)

    run = SyncRun.objects.get()
    assert (left.returncode, json.loads(left.stdout)["state"]) == (4, "cancelled")
    states = set(run.shards.values_list("state", flat=True))
    assert states <= {"cancelled", "done", "interrupted"}
    assert world.held_tokens() == []
