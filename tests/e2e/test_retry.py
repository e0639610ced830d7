"""补拉:真的 HTTP,真的进程;失败、吊销、补拉,状态 0→1 和 0→0→0→2。"""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from functools import partial
from threading import Event

import pytest
from django.utils import timezone

from sync import services
from sync.models import FailureStatus, Stock, SyncFailure, SyncRun
from sync.simulator import Account, Simulator, demo_accounts
from tokens.models import ApiToken

from . import world
from .conftest import Simulate
from .processes import PATIENCE, finished, kill_once, manage, managing, until
from .world import SPRING, Staged

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
]
STOCKS = 60
UNKNOWN = ("99901", "99902")
COMMAND = ["retry_failed", "--json"]


@pytest.fixture
def sim(simulate: Simulate) -> Staged:
    """六十只股票,十二个 Token。"""
    accounts = demo_accounts(12)
    sim = simulate(accounts=accounts, stocks=STOCKS)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    return sim


def record_all() -> None:
    """每只股票一条等待中的记录。"""
    SyncFailure.objects.bulk_create(
        SyncFailure(
            stock_code=stock.stock_code,
            market=stock.market,
            start_date=SPRING[0],
            end_date=SPRING[1],
        )
        for stock in Stock.objects.all()
    )


def counted() -> dict[tuple[int, int], int]:
    """每种状态和次数各有几条记录。"""
    rows = SyncFailure.objects.values_list("status", "retry_count")
    return dict(Counter((status or 0, tried or 0) for status, tried in rows))


def retry(*, hours: int) -> SyncRun:
    """几个小时以后的一次补拉。"""
    later = timedelta(hours=hours)
    run = services.retry_failed(at=timezone.now() + later)
    return world.executed(run, now=lambda: timezone.now() + later)


def hold_new_token(sim: Simulator, name: str) -> None:
    """运营的人再放进一个 Token。"""
    world.hold_tokens(sim, [account for account in NEW if account.key.endswith(name)])


NEW = [Account("simulated-token-new-1"), Account("simulated-token-new-2")]


def test_failures_end_as_done_or_after_three_attempts_as_given_up(
    sim: Staged, simulate: Simulate
) -> None:
    wanted = world.request(*SPRING)
    world.hold_unknown("HK", *UNKNOWN)
    keys = list(sim.ledger)
    sim.at_call(30, lambda: [sim.revoke(key) for key in keys])
    first = world.synced(wanted)
    recorded = SyncFailure.objects.count()
    # Another simulator tells the same story.
    fresh = simulate(accounts=NEW, stocks=STOCKS)
    seen = [counted()]

    hold_new_token(fresh, "1")
    fresh.at_call(5, partial(fresh.revoke, NEW[0].key))
    retry(hours=1)
    seen.append(counted())
    hold_new_token(fresh, "2")
    ends = []
    for hours in (2, 3, 4, 5):
        ends.append(retry(hours=hours).state)
        seen.append(counted())

    done = 4
    lost = recorded - len(UNKNOWN)
    assert (first.state, first.failed) == ("partial", recorded)
    assert recorded > 20
    assert seen == [
        {(0, 0): recorded},
        {(1, 0): done, (0, 0): recorded - done},
        {(1, 0): lost, (0, 1): 2},
        {(1, 0): lost, (0, 2): 2},
        {(1, 0): lost, (2, 3): 2},
        {(1, 0): lost, (2, 3): 2},
    ]
    assert ends == ["partial", "failed", "failed", "succeeded"]
    given_up = SyncFailure.objects.filter(status=FailureStatus.GIVEN_UP)
    assert {row.stock_code for row in given_up} == set(UNKNOWN)
    assert {row.reason_class for row in given_up} == {"unknown_symbol"}
    assert world.differences(sim, wanted, without=UNKNOWN) == []
    assert world.breaches(fresh.ledger) == []
    assert world.held_tokens() == []


def test_of_two_retries_started_together_one_fetches(sim: Staged) -> None:
    record_all()
    other_has_ended = Event()
    # Whichever is accepted makes no call before the other has been refused.
    sim.at_call(1, lambda: other_has_ended.wait(PATIENCE))

    with managing(*COMMAND) as one, managing(*COMMAND) as other:
        until(lambda: not one.poll() is other.poll() is None)
        other_has_ended.set()
        ended = sorted(map(finished, (one, other)), key=lambda left: left.returncode)

    done, refused = ended
    assert (done.returncode, refused.returncode) == (0, 1)
    assert "A retry of these failures is running" in refused.stderr
    assert refused.stdout == ""
    assert json.loads(done.stdout)["succeeded"] == STOCKS
    assert world.calls(sim) == STOCKS
    assert counted() == {(1, 0): STOCKS}
    assert world.differences(sim, world.request(*SPRING)) == []


def test_the_rows_of_a_killed_retry_are_fetched_at_once_and_count_no_attempt(
    simulate: Simulate,
) -> None:
    accounts = demo_accounts(12)
    sim = simulate(accounts=accounts, stocks=300)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    record_all()

    with managing(*COMMAND) as process:
        # What has been written by then is there; the last batch dies with the process.
        written = SyncFailure.objects.filter(status=FailureStatus.DONE).exists
        sim.at_call(250, partial(kill_once, written, process))
        killed = finished(process)
    after = counted()
    again = manage(*COMMAND)

    told = json.loads(again.stdout)
    left = after[0, 0]
    assert killed.returncode == -9
    assert after == {(1, 0): 300 - left, (0, 0): left}
    assert 0 < left < 300
    assert (again.returncode, told["calls"], told["succeeded"]) == (0, left, left)
    states = SyncRun.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["interrupted", "succeeded"]
    assert counted() == {(1, 0): 300}
    assert world.differences(sim, world.request(*SPRING)) == []
    # Leases of the dead that the few stocks left needed not have ended all the same.
    assert not ApiToken.objects.held(at=services.now()).exists()


def test_a_running_retry_stops_when_it_is_cancelled_and_counts_no_attempt(
    simulate: Simulate,
) -> None:
    accounts = demo_accounts(2)
    sim = simulate(accounts=accounts, stocks=STOCKS)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    record_all()
    hanging = Event()

    def hang() -> None:
        sim.latency = 60
        hanging.set()

    with managing(*COMMAND) as process:
        sim.at_call(10, hang)
        assert hanging.wait(PATIENCE)
        said = manage("cancel_run", str(SyncRun.objects.get().pk))
        cancelled = finished(process)

    told = json.loads(cancelled.stdout)
    after = counted()
    assert (said.returncode, "asked to stop" in said.stdout) == (0, True)
    assert (cancelled.returncode, told["state"]) == (4, "cancelled")
    assert 0 < told["succeeded"] < 10
    assert after == {
        (1, 0): told["succeeded"],
        (0, 0): STOCKS - told["succeeded"],
    }
    assert world.held_tokens() == []
