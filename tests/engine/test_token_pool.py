from __future__ import annotations

from sync.engine.ports import Beat, LeasedToken
from sync.engine.token_pool import TokenPool

from .fakes import FakeClock, MemoryLedger, token

ALL = frozenset({1, 2, 3})
HOUR = 3600.0


def pool(
    ledger: MemoryLedger, clock: FakeClock, *, tokens: int = 3, limit: int = 60
) -> TokenPool:
    leased = [LeasedToken(token(n, minute_limit=limit)) for n in range(1, tokens + 1)]
    found = TokenPool(leased, ledger=ledger, clock=clock)
    found.renew(Beat(HOUR, ALL))
    return found


def call(pool: TokenPool, clock: FakeClock, *, times: int) -> None:
    for _ in range(times):
        pool.limiters[0].begin()
        pool.limiters[0].end(clock.now())


def test_top_up_reserves_a_portion_for_each_token() -> None:
    ledger = MemoryLedger()
    held = pool(ledger, FakeClock())

    assert held.top_up()
    assert ledger.granted == {1: 10, 2: 10, 3: 10}
    assert not held.top_up()


def test_a_refused_token_is_asked_for_again_after_a_second() -> None:
    ledger, clock = MemoryLedger(shut=True), FakeClock()
    held = pool(ledger, clock, tokens=1)
    first = held.top_up()
    ledger.shut = False

    at_once = held.top_up()
    clock.advance(1.0)

    assert [first, at_once, held.top_up()] == [False, False, True]


def test_a_token_at_its_daily_limit_is_retired_when_its_last_call_is_used() -> None:
    ledger, clock = MemoryLedger(budget={1: 4}), FakeClock()
    held = pool(ledger, clock, tokens=1)
    held.top_up()
    limiter = held.limiters[0]
    assert limiter.credit == 4

    call(held, clock, times=4)
    clock.advance(1.0)
    held.top_up()

    assert str(limiter.out) == "token-1 is at its daily limit"


def test_a_refusal_leaves_the_credit_there_is() -> None:
    ledger, clock = MemoryLedger(budget={1: 4}), FakeClock()
    held = pool(ledger, clock, tokens=1)
    held.top_up()

    held.top_up()

    assert held.limiters[0].ready_in(0.0) == 0
    assert held.limiters[0].credit == 4
    assert held.limiters[0].out is None


def test_a_token_that_is_no_longer_held_is_retired() -> None:
    held = pool(MemoryLedger(), FakeClock())

    held.renew(Beat(HOUR, frozenset({1, 3})))

    assert [bool(limiter.out) for limiter in held.limiters] == [False, True, False]


def test_no_call_after_the_lease_unless_it_was_renewed() -> None:
    clock = FakeClock()
    held = pool(MemoryLedger(), clock, tokens=1)
    held.top_up()
    clock.advance(HOUR)
    late = held.limiters[0].ready_in(clock.now())

    held.renew(Beat(HOUR, ALL))

    assert late == float("inf")
    assert held.limiters[0].ready_in(clock.now()) == 0


def test_a_resting_token_rests_on() -> None:
    held = TokenPool(
        [LeasedToken(token(1), rests=30.0)], ledger=MemoryLedger(), clock=FakeClock()
    )
    held.renew(Beat(HOUR, ALL))
    held.top_up()

    assert held.limiters[0].ready_in(0.0) == 30.0


def test_release_gives_back_what_was_not_used() -> None:
    ledger, clock = MemoryLedger(), FakeClock()
    held = pool(ledger, clock, tokens=1)
    held.top_up()
    call(held, clock, times=3)

    held.release()

    assert (ledger.granted[1], ledger.done[1], ledger.unused[1]) == (10, 3, 7)
    assert held.calls == 3


def test_a_call_under_way_is_neither_done_nor_given_back_but_recent() -> None:
    ledger, clock = MemoryLedger(), FakeClock()
    held = pool(ledger, clock, tokens=1)
    held.top_up()
    held.limiters[0].begin()

    held.release()

    assert (ledger.granted[1], ledger.done[1], ledger.unused[1]) == (10, 0, 9)
    assert ledger.recent[1] == [[1_000_000, 1]]


def test_credit_of_yesterday_is_never_given_back_to_today() -> None:
    ledger, clock = MemoryLedger(seconds=50.0), FakeClock()
    held = pool(ledger, clock, tokens=1)
    held.top_up()
    clock.advance(60.0)

    held.release()

    assert (ledger.done[1], ledger.unused[1]) == (10, 0)


def test_after_the_release_no_token_may_be_used() -> None:
    held = pool(MemoryLedger(), FakeClock())
    held.top_up()

    held.release()

    assert [limiter.ready_in(0.0) for limiter in held.limiters] == [float("inf")] * 3
