"""一部分回答是坏的:每只股票要么分毫不差,要么记下了原因,错的值一个也没有。"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from django.utils import timezone

from sync import services
from sync.models import RejectedBar, SyncFailure
from sync.providers.itick import ItickClient
from sync.simulator import Faults, Quirks, demo_accounts

from . import world
from .conftest import Simulate
from .world import YEAR, Staged

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
]
STOCKS = 60
REASONS = {"unknown_symbol", "unreachable", "provider_error", "bad_data"}


def staged(simulate: Simulate, faults: Faults) -> Staged:
    """60 只股票,分成几页取;被限流时只说歇一秒。

    One lane only, so that the seed decides which request meets which fault.
    """
    accounts = demo_accounts(6)
    quirks = Quirks(page_cap=100, rate_limit="http_429_retry_after")
    sim = simulate(accounts=accounts, stocks=STOCKS, faults=faults, quirks=quirks)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    return sim


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """等不了多久的客户端;好的回答在忙的机器上也来得及。"""
    client = partial(ItickClient, read_timeout=1.0, deadline=2.0)
    monkeypatch.setattr("sync.services.shards.execution.ItickClient", client)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_with_a_fifth_of_the_answers_bad_nothing_wrong_is_stored(
    simulate: Simulate, seed: int
) -> None:
    mixed = Faults.mixed(0.2, seed=seed)
    sim = staged(simulate, replace(mixed, timeout=0, drip=0))
    wanted = world.request(*YEAR)

    run = world.synced(wanted)

    failed = world.failures()
    assert run.succeeded + run.failed == STOCKS
    assert run.succeeded > STOCKS / 2
    assert set(failed) >= world.uncovered(wanted)
    assert set(failed.values()) <= REASONS
    assert world.never_wrong(sim, wanted) == []
    assert world.holes(sim, wanted, without=failed) == 0


@pytest.mark.usefixtures("quick")
def test_when_the_faults_are_over_a_retry_completes_every_stock(
    simulate: Simulate,
) -> None:
    sim = staged(simulate, replace(Faults.mixed(0.6, seed=5), timeout=0, drip=0))
    wanted = world.request(*YEAR)

    first = world.synced(wanted)
    waiting = world.failures()
    sim.faults = Faults()
    second = world.executed(services.retry_failed(at=timezone.now()))

    # Some are done but for a bar that could not be used.
    assert len(waiting) > first.failed > 0
    assert (second.state, second.succeeded) == ("succeeded", len(waiting))
    assert not RejectedBar.objects.exists()
    assert not world.failures()
    assert world.differences(sim, wanted) == []


@pytest.mark.usefixtures("quick", "impatient")
def test_silence_and_a_trickle_are_cut_off_and_tried_again(simulate: Simulate) -> None:
    faults = Faults(timeout=0.1, drip=0.1, seed=4)
    sim = staged(simulate, faults)
    wanted = world.request(*YEAR, codes=tuple(sim.codes("HK")[:10]))

    run = world.synced(wanted)

    assert (run.state, run.succeeded) == ("succeeded", 10)
    assert world.calls(sim) > 30
    assert world.never_wrong(sim, wanted) == []


@pytest.mark.usefixtures("quick", "impatient")
def test_a_provider_that_never_answers_in_time_is_the_recorded_reason(
    simulate: Simulate,
) -> None:
    staged(simulate, Faults(timeout=1))
    wanted = world.request(*YEAR, codes=("700",))

    run = world.synced(wanted)

    row = SyncFailure.objects.get()
    assert (run.state, run.failed, run.calls) == ("failed", 1, 4)
    assert (row.stock_code, row.reason_class) == ("700", "timeout")
    assert row.failure_reason == "127.0.0.1 did not answer in time"
