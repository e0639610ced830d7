"""While a long load holds all tokens, others have their turn within seconds."""

from __future__ import annotations

from signal import SIGTERM
from time import monotonic

import pytest

from sync.models import Stock, SyncFailure, SyncRun
from sync.simulator import demo_accounts
from tokens.models import ApiToken, TokenWish

from . import world
from .book import Book
from .conftest import Simulate
from .processes import finished, managing, until
from .world import SPRING

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
]
DAYS = ["--start", str(SPRING[0]), "--end", str(SPRING[1])]
SOON = 10.0  # seconds until the first call of whoever comes second
LONG, ENOUGH = 150, 20


@pytest.mark.parametrize("tokens", [1, 12])
def test_a_repair_and_a_sync_have_their_turn_while_a_long_load_runs(
    simulate: Simulate, tokens: int
) -> None:
    sim = simulate(accounts=demo_accounts(tokens), stocks=LONG, latency=0.1)
    world.hold_tokens(sim, demo_accounts(tokens), minute_limit=0)
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

    with managing("sync_klines", "--market", "HK", *DAYS) as long:
        until(lambda: len(book.calls) > ENOUGH)
        began = monotonic()
        with (
            managing("retry_failed", "--market", "SZ") as repair,
            managing("sync_klines", "--market", "SH", *DAYS) as daily,
            managing("sync_stocks", "--market", "US") as stocks,
        ):
            others = (repair, daily, stocks)
            ended = [finished(process) for process in others]
            ended.append(finished(long, seconds=120))

    assert [one.returncode for one in ended] == [0, 0, 0, 0], ended
    assert book.first("SZ") - began < SOON
    assert book.first("SH") - began < SOON
    assert book.first("US") - began < SOON
    # The long one was not done by then.
    assert book.last("HK") > max(book.first(market) for market in ("SZ", "SH", "US"))
    # Nothing lost, nothing asked for twice, no token in two hands.
    asked = book.asked()
    assert set(asked.values()) == {1}
    assert len(asked) == LONG + 3 + 1 + 1
    assert world.differences(sim, world.request(*SPRING, markets=("HK", "SH"))) == []
    failure.refresh_from_db()
    assert failure.status == 1
    assert world.breaches(sim.ledger) == []
    assert world.held_tokens() == []
    used = ApiToken.objects.values_list("daily_used", flat=True)
    assert sum(used) == len(book.calls)
    assert {run.failed for run in SyncRun.objects.all()} == {0}
    assert not TokenWish.objects.exists()


def test_a_minute_that_is_used_up_keeps_nobody_waiting(simulate: Simulate) -> None:
    # All calls of the long run's first minute are made in its first seconds.
    accounts = demo_accounts(12, minute_limit=5)
    sim = simulate(accounts=accounts, stocks=LONG)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    world.hold_stocks(sim, "SH", most=1)
    book = Book(sim)

    with managing("sync_klines", "--market", "HK", *DAYS) as long:
        until(lambda: len(book.calls) >= 12 * 5 - 1)
        began = monotonic()
        with managing("sync_klines", "--market", "SH", *DAYS) as short:
            assert finished(short).returncode == 0
        long.send_signal(SIGTERM)
        assert finished(long).returncode == 4

    assert book.first("SH") - began < SOON
    assert world.breaches(sim.ledger, minute_limit=5) == []
