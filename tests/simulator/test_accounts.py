from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from threading import Barrier, Thread

import pytest
import requests

from sync.simulator import Account, Simulator, demo_accounts
from sync.simulator.accounts import Accounts, Verdict

from .calls import KEY, kline

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

DAY = date(2026, 11, 20)


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0
        self.day = DAY

    def __call__(self) -> float:
        return self.at

    def today(self) -> date:
        return self.day


def try_once(accounts: Accounts, *, key: str = KEY) -> Verdict:
    with accounts.call(key) as admission:
        return admission.verdict


def opened(clock: Clock, **limits: int) -> Accounts:
    return Accounts(
        [Account(KEY, **limits)],  # type: ignore[arg-type]
        today=clock.today,
        clock=clock,
    )


def test_no_sixty_seconds_hold_more_calls_than_the_limit() -> None:
    clock = Clock()
    accounts = opened(clock, minute_limit=5)
    verdicts = []
    for _ in range(30):
        verdicts.append(try_once(accounts))
        clock.at += 10

    usage = accounts.ledger()[KEY]
    accepted = usage.calls
    assert verdicts.count(Verdict.ACCEPTED) == len(accepted) == 25
    assert usage.refused == 5
    assert all(
        sum(start <= at < start + 60 for at in accepted) <= 5 for start in accepted
    )


def test_a_refusal_says_when_the_next_call_may_come() -> None:
    clock = Clock()
    accounts = opened(clock, minute_limit=1)
    try_once(accounts)
    clock.at += 45

    with accounts.call(KEY) as admission:
        pass

    assert (admission.verdict, admission.retry_after) == (Verdict.REFUSED, 15)


def test_the_busiest_minute_counts_refused_calls_too() -> None:
    clock = Clock()
    accounts = opened(clock, minute_limit=2)
    for _ in range(3):
        try_once(accounts)
    clock.at += 60
    try_once(accounts)

    usage = accounts.ledger()[KEY]
    assert (usage.busiest_minute, len(usage.calls), usage.refused) == (3, 3, 1)


def test_the_daily_limit_starts_anew_the_next_day() -> None:
    clock = Clock()
    accounts = opened(clock, daily_limit=2)
    first = [try_once(accounts) for _ in range(3)]
    clock.day += timedelta(days=1)
    second = try_once(accounts)

    usage = accounts.ledger()[KEY]
    assert first == [Verdict.ACCEPTED, Verdict.ACCEPTED, Verdict.REFUSED]
    assert second is Verdict.ACCEPTED
    assert usage.per_day == {DAY: 2, DAY + timedelta(days=1): 1}


def test_the_ledger_sees_calls_that_overlap() -> None:
    accounts = opened(Clock())
    with accounts.call(KEY), accounts.call(KEY):
        pass
    with accounts.call(KEY):
        pass

    assert accounts.ledger()[KEY].most_at_once == 2


def test_the_limit_holds_when_many_threads_call_at_once() -> None:
    accounts = opened(Clock(), minute_limit=7)
    barrier = Barrier(10, timeout=5)

    def call() -> None:
        barrier.wait()
        for _ in range(20):
            try_once(accounts)

    threads = [Thread(target=call) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=5)

    usage = accounts.ledger()[KEY]
    assert (len(usage.calls), usage.refused) == (7, 193)


def test_a_later_call_does_not_change_a_ledger_taken_before() -> None:
    accounts = opened(Clock())
    before = accounts.ledger()

    try_once(accounts)

    assert before[KEY].calls == []


def test_the_server_refuses_what_is_over_the_limit() -> None:
    with Simulator(accounts=[Account(KEY, minute_limit=2)]) as sim:
        statuses = [kline(sim).status_code for _ in range(3)]

        usage = sim.ledger[KEY]
    assert statuses == [200, 200, 429]
    assert (len(usage.calls), usage.refused, usage.most_at_once) == (2, 1, 1)


def test_a_call_is_under_way_during_the_latency() -> None:
    with Simulator(latency=60.0) as sim:
        for _ in "ab":
            with pytest.raises(requests.ReadTimeout):
                requests.get(
                    f"{sim.base_url}/symbol/v2/holidays",
                    headers={"token": KEY},
                    timeout=0.1,
                )

    assert sim.ledger[KEY].most_at_once == 2


def test_calls_are_counted_on_the_simulated_day() -> None:
    now = datetime(2026, 3, 4, tzinfo=UTC)
    with Simulator(now=now) as sim:
        kline(sim)

        assert sim.ledger[KEY].per_day == {date(2026, 3, 4): 1}


def test_a_revoked_key_is_401_and_its_calls_are_counted_apart(sim: Simulator) -> None:
    before = kline(sim).status_code
    known = sim.revoke(KEY)

    after = kline(sim).status_code

    usage = sim.ledger[KEY]
    assert (known, before, after) == (True, 200, 401)
    assert (len(usage.calls), usage.rejected) == (1, 1)
    assert kline(sim, key="simulated-token-02").status_code == 200


def test_revoking_an_unknown_key_says_so(sim: Simulator) -> None:
    assert sim.revoke("unknown") is False


def test_an_account_may_be_invalid_from_the_start() -> None:
    with Simulator(accounts=[Account(KEY, valid=False)]) as sim:
        assert kline(sim).status_code == 401


def test_demo_accounts_have_numbered_keys_and_the_limits_asked_for() -> None:
    accounts = demo_accounts(12, minute_limit=5, daily_limit=100)

    assert [account.key for account in accounts][::11] == [
        "simulated-token-01",
        "simulated-token-12",
    ]
    assert {(each.minute_limit, each.daily_limit) for each in accounts} == {(5, 100)}


def test_an_account_shown_hides_its_key() -> None:
    assert KEY not in repr(Account(KEY))
