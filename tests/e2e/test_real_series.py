"""五只真实股票的全部日线,不管服务商怎样盖时间戳、排序、算终点。"""

from __future__ import annotations

from datetime import date
from itertools import product
from typing import get_args

import pytest

from sync.models import Kline
from sync.simulator import Quirks, demo_accounts
from sync.simulator.quirks import End, Order, Stamp

from . import world
from .conftest import Simulate

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
]
EVER = (date(2000, 1, 1), date(2013, 12, 31))
QUIRKS = [
    Quirks(stamp=stamp, et=et, order=order, page_cap=440)
    for stamp, et, order in product(get_args(Stamp), get_args(End), get_args(Order))
]


@pytest.mark.parametrize("quirks", QUIRKS, ids=lambda q: f"{q.stamp}-{q.et}-{q.order}")
def test_12154_real_bars_are_complete_and_exact(
    simulate: Simulate, quirks: Quirks
) -> None:
    accounts = demo_accounts(12)
    sim = simulate(accounts=accounts, quirks=quirks)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "US")
    wanted = world.request(*EVER, markets=("US",))

    run = world.synced(wanted)

    assert (run.state, run.succeeded, run.klines) == ("succeeded", 5, 12_154)
    assert Kline.objects.count() == 12_154
    assert world.differences(sim, wanted) == []


def test_numbers_and_codes_sent_as_text_are_the_same_values(simulate: Simulate) -> None:
    accounts = demo_accounts(2)
    quirks = Quirks(numbers_as_text=True, code_as_text=True, page_cap=440)
    sim = simulate(accounts=accounts, quirks=quirks)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "US")
    wanted = world.request(*EVER, markets=("US",), codes=("FB", "GOOG"))

    run = world.synced(wanted)

    assert (run.state, run.succeeded) == ("succeeded", 2)
    assert world.stored("US") == world.truth(sim, wanted, "US", codes=wanted.codes)


@pytest.mark.parametrize(
    ("period", "start"),
    [
        ("1m", date(2026, 5, 1)),
        ("60m", date(2026, 5, 1)),
        ("week", date(2026, 1, 5)),
        ("month", date(2026, 1, 1)),
    ],
)
def test_every_kind_of_period_is_exact(
    simulate: Simulate, period: str, start: date
) -> None:
    accounts = demo_accounts(4)
    sim = simulate(accounts=accounts, stocks=4, now=world.SATURDAY)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    # Whole weeks and whole months, because they are what is fetched.
    wanted = world.request(start, date(2026, 5, 31), period=period)

    run = world.synced(wanted, now=lambda: world.SATURDAY)

    assert (run.state, run.succeeded) == ("succeeded", 4)
    assert world.differences(sim, wanted) == []
