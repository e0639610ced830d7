from __future__ import annotations

from sync.engine.ports import Beat
from sync.engine.wallet import LeasedToken, Wallet

from .fakes import FakeClock, MemoryLedger, token

ALL = frozenset({1, 2, 3})
HOUR = 3600.0


def wallet(
    ledger: MemoryLedger, clock: FakeClock, *, tokens: int = 3, limit: int = 60
) -> Wallet:
    leased = [LeasedToken(token(n, minute_limit=limit)) for n in range(1, tokens + 1)]
    found = Wallet(leased, ledger=ledger, clock=clock)
    found.leased(Beat(HOUR, ALL))
    return found


def call(wallet: Wallet, clock: FakeClock, *, times: int) -> None:
    for _ in range(times):
        wallet.meters[0].begin()
        wallet.meters[0].end(clock.now())


def test_top_up_reserves_a_portion_for_each_token() -> None:
    ledger = MemoryLedger()
    held = wallet(ledger, FakeClock())

    assert held.top_up()
    assert ledger.granted == {1: 10, 2: 10, 3: 10}
    assert not held.top_up()


def test_a_refused_token_is_asked_for_again_after_a_second() -> None:
    ledger, clock = MemoryLedger(shut=True), FakeClock()
    held = wallet(ledger, clock, tokens=1)
    first = held.top_up()
    ledger.shut = False

    at_once = held.top_up()
    clock.advance(1.0)

    assert [first, at_once, held.top_up()] == [False, False, True]


def test_a_token_at_its_daily_limit_is_retired_when_its_last_call_is_used() -> None:
    ledger, clock = MemoryLedger(budget={1: 4}), FakeClock()
    held = wallet(ledger, clock, tokens=1)
    held.top_up()
    meter = held.meters[0]
    assert meter.credit == 4

    call(held, clock, times=4)
    clock.advance(1.0)
    held.top_up()

    assert str(meter.out) == "token-1 is at its daily limit"


def test_a_refusal_leaves_the_credit_there_is() -> None:
    ledger, clock = MemoryLedger(budget={1: 4}), FakeClock()
    held = wallet(ledger, clock, tokens=1)
    held.top_up()

    held.top_up()

    assert held.meters[0].ready_in(0.0) == 0
    assert held.meters[0].credit == 4
    assert held.meters[0].out is None


def test_a_token_that_is_no_longer_held_is_retired() -> None:
    held = wallet(MemoryLedger(), FakeClock())

    held.leased(Beat(HOUR, frozenset({1, 3})))

    assert [bool(meter.out) for meter in held.meters] == [False, True, False]


def test_no_call_after_the_lease_unless_it_was_renewed() -> None:
    clock = FakeClock()
    held = wallet(MemoryLedger(), clock, tokens=1)
    held.top_up()
    clock.advance(HOUR)
    late = held.meters[0].ready_in(clock.now())

    held.leased(Beat(HOUR, ALL))

    assert late == float("inf")
    assert held.meters[0].ready_in(clock.now()) == 0


def test_a_resting_token_rests_on() -> None:
    held = Wallet(
        [LeasedToken(token(1), rests=30.0)], ledger=MemoryLedger(), clock=FakeClock()
    )
    held.leased(Beat(HOUR, ALL))
    held.top_up()

    assert held.meters[0].ready_in(0.0) == 30.0


def test_release_gives_back_what_was_not_used() -> None:
    ledger, clock = MemoryLedger(), FakeClock()
    held = wallet(ledger, clock, tokens=1)
    held.top_up()
    call(held, clock, times=3)

    held.release()

    assert (ledger.granted[1], ledger.done[1], ledger.unused[1]) == (10, 3, 7)
    assert held.calls == 3


def test_a_call_under_way_is_neither_done_nor_given_back_but_recent() -> None:
    ledger, clock = MemoryLedger(), FakeClock()
    held = wallet(ledger, clock, tokens=1)
    held.top_up()
    held.meters[0].begin()

    held.release()

    assert (ledger.granted[1], ledger.done[1], ledger.unused[1]) == (10, 0, 9)
    assert ledger.recent[1] == [[1_000_000, 1]]


def test_credit_of_yesterday_is_never_given_back_to_today() -> None:
    ledger, clock = MemoryLedger(seconds=50.0), FakeClock()
    held = wallet(ledger, clock, tokens=1)
    held.top_up()
    clock.advance(60.0)

    held.release()

    assert (ledger.done[1], ledger.unused[1]) == (10, 0)


def test_after_the_release_no_token_may_be_used() -> None:
    held = wallet(MemoryLedger(), FakeClock())
    held.top_up()

    held.release()

    assert [meter.ready_in(0.0) for meter in held.meters] == [float("inf")] * 3
