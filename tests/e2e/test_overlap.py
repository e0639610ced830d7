"""已经有的不再取:重叠的请求只取缺的,隔开的请求补上空隙。"""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from sync.models import Coverage, Kline
from sync.simulator import demo_accounts

from . import world
from .conftest import Simulate
from .world import Staged

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
]
STOCKS = 5
MARCH = (date(2026, 3, 2), date(2026, 3, 31))
LATE = (date(2026, 3, 16), date(2026, 4, 30))
MAY = (date(2026, 5, 4), date(2026, 5, 29))
# A Friday, eleven in the morning in Hong Kong, and an hour and more after the close.
FRIDAY = date(2026, 6, 12)
IN_SESSION = datetime(2026, 6, 12, 3, 0, tzinfo=UTC)
AFTER_CLOSE = datetime(2026, 6, 12, 10, 0, tzinfo=UTC)


@pytest.fixture
def sim(simulate: Simulate) -> Staged:
    """五只股票,三个 Token。"""
    accounts = demo_accounts(3)
    sim = simulate(accounts=accounts, stocks=STOCKS)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    return sim


def bars(sim: Staged, *days: date) -> int:
    """真相里这些天有多少根。"""
    rows = world.truth(sim, world.request(*days), "HK").values()
    return sum(map(len, rows))


def test_an_overlapping_request_fetches_only_the_new_days(sim: Staged) -> None:
    world.synced(world.request(*MARCH))

    run = world.synced(world.request(*LATE))

    assert (run.state, run.calls) == ("succeeded", STOCKS)
    assert run.klines == bars(sim, date(2026, 4, 1), LATE[1])
    assert world.differences(sim, world.request(MARCH[0], LATE[1])) == []


def test_a_request_inside_what_is_there_makes_no_call(sim: Staged) -> None:
    world.synced(world.request(*MARCH))

    run = world.synced(world.request(date(2026, 3, 10), date(2026, 3, 20)))

    assert (run.state, run.calls, run.skipped) == ("succeeded", 0, STOCKS)


def test_a_request_around_what_is_there_fetches_both_sides(sim: Staged) -> None:
    world.synced(world.request(*MARCH))

    run = world.synced(world.request(date(2026, 2, 2), LATE[1]))

    both = bars(sim, date(2026, 2, 2), date(2026, 3, 1)) + bars(
        sim, date(2026, 4, 1), LATE[1]
    )
    assert (run.state, run.calls, run.klines) == ("succeeded", 2 * STOCKS, both)
    assert world.differences(sim, world.request(date(2026, 2, 2), LATE[1])) == []


@pytest.mark.parametrize(("first", "second"), [(MARCH, MAY), (MAY, MARCH)])
def test_a_request_that_does_not_touch_closes_the_gap(
    sim: Staged, first: tuple[date, date], second: tuple[date, date]
) -> None:
    world.synced(world.request(*first))

    run = world.synced(world.request(*second))

    whole = world.request(MARCH[0], MAY[1])
    assert (run.state, run.calls) == ("succeeded", STOCKS)
    assert world.differences(sim, whole) == []
    assert world.uncovered(whole) == set()


def test_force_fetches_anew_and_mends_what_is_wrong(sim: Staged) -> None:
    wanted = world.request(*MARCH)
    world.synced(wanted)
    Kline.objects.update(close=1)

    without = world.synced(wanted)
    broken = world.differences(sim, wanted)
    forced = world.synced(world.request(*MARCH, force=True))

    assert (without.calls, len(broken)) == (0, 10)
    assert (forced.state, forced.calls) == ("succeeded", STOCKS)
    assert forced.klines == bars(sim, *MARCH)
    assert world.differences(sim, wanted) == []


def test_a_bar_still_forming_is_stored_and_fetched_again_when_it_is_final(
    simulate: Simulate,
) -> None:
    now = [IN_SESSION]
    accounts = demo_accounts(3)
    sim = simulate(accounts=accounts, stocks=STOCKS, now=lambda: now[0])
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    wanted = world.request(date(2026, 6, 1), FRIDAY)

    forming = world.synced(wanted, now=lambda: now[0])
    held = Kline.objects.filter(time__date=FRIDAY).count()
    covered = set(Coverage.objects.values_list("end_date", flat=True))
    now[0] = AFTER_CLOSE
    final = world.synced(wanted, now=lambda: now[0])
    nothing = world.synced(wanted, now=lambda: now[0])

    assert (forming.state, held, covered) == (
        "succeeded",
        STOCKS,
        {date(2026, 6, 11)},
    )
    assert (final.state, final.calls, final.klines) == ("succeeded", STOCKS, STOCKS)
    assert nothing.calls == 0
    assert world.differences(sim, wanted) == []


def test_a_stock_listed_inside_the_window_is_complete_from_its_first_day(
    simulate: Simulate,
) -> None:
    accounts = demo_accounts(3)
    sim = simulate(accounts=accounts, stocks=100)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    young = {
        code
        for code in sim.codes("HK")
        if (stock := sim.book.listing.find("HK", code)) and stock.listed.year >= 2018
    }
    wanted = world.request(date(2017, 1, 1), date(2026, 3, 31), codes=tuple(young))

    run = world.synced(wanted)
    again = world.synced(wanted)

    have, true = world.stored("HK"), world.truth(sim, wanted, "HK", codes=young)
    assert len(young) > 3
    assert (run.state, run.succeeded, again.calls) == ("succeeded", len(young), 0)
    assert have == true
