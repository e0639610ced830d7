"""Token 的限额:服务商的账上谁也没有超过,什么也没有被拒绝。"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import get_args

import pytest

from sync.services import AlreadyRunning
from sync.simulator import Quirks, demo_accounts
from sync.simulator.quirks import RateLimit
from tokens.models import ApiToken

from . import world
from .conftest import Simulate
from .fastclock import FastClock, wind
from .processes import PATIENCE, finished, manage, managing
from .world import SPRING, Staged

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
]
DAYS = ["--start", str(SPRING[0]), "--end", str(SPRING[1])]
NOON = datetime(2026, 6, 19, 12, 0, tzinfo=UTC)


def paused_at_first_call(sim: Staged) -> tuple[Event, Event]:
    """第一次请求到了,停在那里;第二个事件让它继续。"""
    begun, go_on = Event(), Event()

    def pause() -> None:
        begun.set()
        assert go_on.wait(PATIENCE)

    sim.at_call(1, pause)
    return begun, go_on


def test_twelve_tokens_of_five_a_minute_never_make_a_sixth_call(
    simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FastClock()
    accounts = demo_accounts(12, minute_limit=5)
    sim = simulate(accounts=accounts, stocks=90, now=clock.moment)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    wind(clock, sim, patch=monkeypatch)
    clock.hurry()
    wanted = world.request(*SPRING)

    run = world.synced(wanted, now=clock.moment)

    assert (run.state, run.succeeded, run.calls) == ("succeeded", 90, 90)
    assert run.seconds > 60
    assert world.breaches(sim.ledger, minute_limit=5) == []
    assert world.differences(sim, wanted) == []


def test_two_runs_started_together_share_the_tokens_in_turn(simulate: Simulate) -> None:
    accounts = demo_accounts(12, minute_limit=5)
    sim = simulate(accounts=accounts, stocks=20)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK", "SH")
    begun, go_on = paused_at_first_call(sim)

    with managing("sync_klines", "--market", "HK", *DAYS) as first:
        assert begun.wait(PATIENCE)
        with managing("sync_klines", "--market", "SH", *DAYS) as second:
            assert second.stderr is not None
            told = next(line for line in second.stderr if line.startswith("waiting"))
            go_on.set()
            codes = [finished(process).returncode for process in (first, second)]

    assert codes == [0, 0]
    assert re.search(r" is held by run \d+ since", told)
    assert world.calls(sim) == 40
    assert world.breaches(sim.ledger, minute_limit=5) == []
    assert world.differences(sim, world.request(*SPRING, markets=("HK", "SH"))) == []


def test_two_runs_with_tokens_enough_never_use_one_at_the_same_time(
    simulate: Simulate,
) -> None:
    accounts = demo_accounts(12)
    sim = simulate(accounts=accounts, stocks=60, latency=0.02)
    world.hold_tokens(sim, accounts[:6], markets="HK")
    world.hold_tokens(sim, accounts[6:])
    world.hold_stocks(sim, "HK", "SH")

    with (
        managing("sync_klines", "--market", "HK", *DAYS) as first,
        managing("sync_klines", "--market", "SH", *DAYS) as second,
    ):
        codes = [finished(process).returncode for process in (first, second)]

    assert codes == [0, 0]
    assert world.breaches(sim.ledger) == []
    assert world.differences(sim, world.request(*SPRING, markets=("HK", "SH"))) == []


def test_the_same_request_twice_at_once_is_refused(simulate: Simulate) -> None:
    accounts = demo_accounts(2)
    sim = simulate(accounts=accounts, stocks=4)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    begun, go_on = paused_at_first_call(sim)

    with managing("sync_klines", "--market", "HK", *DAYS) as first:
        assert begun.wait(PATIENCE)
        second = manage("sync_klines", "--market", "HK", *DAYS)
        go_on.set()
        code = finished(first).returncode

    assert (code, second.returncode) == (0, 1)
    assert re.search("The same request is already running as run", second.stderr)
    assert world.calls(sim) == 4


def test_a_run_killed_and_one_started_at_once_keep_the_minute_together(
    simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FastClock()
    accounts = demo_accounts(4, minute_limit=5)
    sim = simulate(accounts=accounts, stocks=20)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    wind(clock, sim, patch=monkeypatch)
    wanted = world.request(*SPRING)

    with managing("sync_klines", "--market", "HK", *DAYS) as process:
        sim.at_call(12, process.kill)
        finished(process)
    clock.hurry()
    run = world.synced(wanted, now=clock.moment)

    assert (run.state, run.stocks) == ("succeeded", 20)
    # More than a minute allows, so that somebody had to wait.
    assert world.calls(sim) > 4 * 5
    assert world.breaches(sim.ledger, minute_limit=5) == []
    assert world.differences(sim, wanted) == []


def test_a_daily_limit_ends_the_day_and_the_next_day_goes_on(
    simulate: Simulate,
) -> None:
    today = [NOON]
    accounts = demo_accounts(4, daily_limit=10)
    sim = simulate(accounts=accounts, stocks=60, now=lambda: today[0])
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    wanted = world.request(*SPRING)

    first = world.synced(wanted, now=lambda: today[0])
    with pytest.raises(AlreadyRunning, match="at its daily limit until 2026-06-20"):
        world.synced(wanted, now=lambda: today[0])
    today[0] += timedelta(days=1)
    second = world.synced(wanted, now=lambda: today[0])

    assert (first.state, first.succeeded, first.failed) == ("waiting", 40, 0)
    assert first.waiting_until == datetime(2026, 6, 20, tzinfo=UTC)
    assert world.failures() == {}
    assert (second.state, second.calls, second.skipped) == ("succeeded", 20, 40)
    assert world.breaches(sim.ledger, daily_limit=10) == []
    assert world.differences(sim, wanted) == []


def test_a_run_over_midnight_keeps_both_days_limits(
    simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FastClock(datetime(2026, 6, 19, 23, 59, 20, tzinfo=UTC))
    accounts = demo_accounts(4, daily_limit=10)
    sim = simulate(accounts=accounts, stocks=45, now=clock.moment, latency=0.05)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    wind(clock, sim, patch=monkeypatch)
    clock.hurry()
    wanted = world.request(*SPRING)

    run = world.synced(wanted, now=clock.moment)

    days = {day for usage in sim.ledger.values() for day in usage.per_day}
    assert len(days) == 2
    assert (run.state, run.succeeded) == ("succeeded", 45)
    assert world.breaches(sim.ledger, daily_limit=10) == []
    assert world.differences(sim, wanted) == []


def test_no_stock_fails_because_a_limit_was_unknown_to_us(
    simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FastClock()
    sims = [
        simulate(
            accounts=[account],
            stocks=40,
            now=clock.moment,
            quirks=Quirks(rate_limit=style),
        )
        for account, style in zip(
            demo_accounts(4, minute_limit=5), get_args(RateLimit), strict=True
        )
    ]
    for number, sim in enumerate(sims, start=1):
        [account] = demo_accounts(number)[-1:]
        world.hold_tokens(sim, [account])
        wind(clock, sim, patch=monkeypatch)
    world.hold_stocks(sims[0], "HK")
    clock.hurry()
    wanted = world.request(*SPRING)

    run = world.synced(wanted, now=clock.moment)

    assert (run.state, run.succeeded, run.failed) == ("succeeded", 40, 0)
    assert [sum(u.refused for u in sim.ledger.values()) > 0 for sim in sims] == (
        [True] * 4
    )
    assert ApiToken.objects.filter(resting_until=None).count() == 0
    assert world.differences(sims[0], wanted) == []


def test_a_run_that_has_waited_does_not_fetch_what_the_other_has_stored(
    simulate: Simulate,
) -> None:
    accounts = demo_accounts(2)
    sim = simulate(accounts=accounts, stocks=5)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    begun, go_on = paused_at_first_call(sim)
    inside = ["--start", str(SPRING[0]), "--end", "2026-03-10", "--market", "HK"]

    with managing("sync_klines", "--market", "HK", *DAYS) as first:
        assert begun.wait(PATIENCE)
        with managing("sync_klines", *inside) as second:
            assert second.stderr is not None
            assert any("waiting" in line for line in second.stderr)
            go_on.set()
            codes = [finished(process).returncode for process in (first, second)]

    assert codes == [0, 0]
    assert world.calls(sim) == 5
