"""While a long load occupies all workers, what is short has one within seconds."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest
from django_q.models import Schedule, Task
from django_q.tasks import async_task

from sync.models import ShardState, Stock, SyncFailure, SyncRun, SyncShard
from sync.services import now, setup_schedules
from sync.simulator import demo_accounts
from tokens.models import TokenWish

from . import world
from .book import Book
from .cluster import cluster
from .conftest import Simulate
from .processes import manage, until
from .world import SPRING

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
    pytest.mark.runs_on("sqlite", "mariadb"),
]
DAYS = ["--start", str(SPRING[0]), "--end", str(SPRING[1]), "--background"]
SOON = 10.0  # seconds until the first call of whoever comes second
DAY = timedelta(days=1)
TOKENS, STOCKS = 12, 120


@pytest.mark.parametrize(("workers", "shards"), [(1, 1), (2, 4)])
def test_a_repair_and_a_sync_have_a_worker_while_a_long_load_runs(
    simulate: Simulate, tmp_path: Path, workers: int, shards: int
) -> None:
    accounts = demo_accounts(TOKENS)
    sim = simulate(accounts=accounts, stocks=STOCKS, latency=0.3)
    world.hold_tokens(sim, accounts, minute_limit=0)
    world.hold_stocks(sim, "HK")
    world.hold_stocks(sim, "SH", most=3)
    world.hold_stocks(sim, "SZ", most=1)
    failure = SyncFailure.objects.create(
        market="SZ",
        stock_code=Stock.objects.get(market="SZ").stock_code,
        start_date=SPRING[0],
        end_date=SPRING[0],
    )
    book = Book(sim)
    # More shards than there are workers lie in the queue before whoever comes second.
    manage("sync_klines", "--market", "HK", "--shards", str(shards), *DAYS)
    long = SyncRun.objects.get()
    others = SyncRun.objects.exclude(pk=long.pk)

    with cluster(tmp_path, Q_WORKERS=str(workers)):
        until(lambda: at_work(long) == workers and len(book.calls) > TOKENS)
        began = monotonic()
        manage("retry_failed", "--market", "SZ", "--background")
        manage("sync_klines", "--market", "SH", *DAYS)
        until(lambda: not others.filter(finished_at=None).exists())
        goes_on = SyncRun.objects.get(pk=long.pk).finished_at is None
        until(lambda: SyncRun.objects.get(pk=long.pk).finished_at is not None)

    assert book.first("SZ") - began < SOON
    assert book.first("SH") - began < SOON
    assert goes_on
    assert set(book.asked().values()) == {1}
    assert len(book.calls) == STOCKS + 3 + 1
    assert world.differences(sim, world.request(*SPRING, markets=("HK", "SH"))) == []
    failure.refresh_from_db()
    assert failure.status == 1
    assert {run.state for run in SyncRun.objects.all()} == {"succeeded"}
    assert set(SyncShard.objects.values_list("attempts", flat=True)) == {1}
    assert world.breaches(sim.ledger) == []
    assert world.held_tokens() == []
    assert not TokenWish.objects.exists()


def at_work(run: SyncRun) -> int:
    return run.shards.filter(state=ShardState.RUNNING).count()


def test_schedules_are_served_while_a_long_load_occupies_all_workers(
    simulate: Simulate, tmp_path: Path
) -> None:
    accounts = demo_accounts(TOKENS)
    sim = simulate(accounts=accounts, stocks=STOCKS, latency=0.3)
    world.hold_tokens(sim, accounts, minute_limit=0)
    world.hold_stocks(sim, "HK")
    book = Book(sim)
    manage("sync_klines", "--market", "HK", "--shards", "4", *DAYS)
    setup_schedules(at=now())
    Schedule.objects.update(next_run=now() + DAY)

    with cluster(tmp_path, Q_WORKERS="2"):
        until(lambda: len(book.calls) > TOKENS)
        sent = [async_task("sync.tasks.revive_runs"), async_task("sync.tasks.clean_up")]
        # As the scheduler of the cluster does it, once a minute.
        Schedule.objects.filter(func="sync.tasks.revive_runs").update(task=sent[0])
        until(lambda: Task.objects.filter(pk__in=sent).count() == len(sent))
        goes_on = SyncRun.objects.get().finished_at is None
        until(lambda: SyncRun.objects.get().finished_at is not None)

    assert goes_on
    assert SyncRun.objects.get().state == "succeeded"
    assert len(book.calls) == STOCKS
    assert set(book.asked().values()) == {1}
    assert set(SyncShard.objects.values_list("attempts", flat=True)) == {1}
    assert world.held_tokens() == []
