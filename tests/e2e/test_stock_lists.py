"""每周的股票列表:新上市的自己进来,挑过的股票不会变成整个市场。"""

from __future__ import annotations

import logging
from threading import Event

import pytest

from sync.models import Stock
from sync.services import sync_stocks_weekly
from sync.simulator import Account
from sync.tasks import sync_stocks

from . import world
from .conftest import Simulate
from .world import Staged

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
]
STOCKS = 60


@pytest.fixture
def sim(simulate: Simulate) -> Staged:
    """六十只股票,一个 Token。"""
    accounts = [Account("simulated-key-1")]
    sim = simulate(accounts=accounts, stocks=STOCKS)
    world.hold_tokens(sim, accounts)
    return sim


def codes() -> set[str]:
    return set(Stock.objects.active().values_list("stock_code", flat=True))


def test_new_listings_come_in_by_themselves_and_deleted_ones_stay_away(
    sim: Staged,
) -> None:
    world.hold_stocks(sim, "HK", most=STOCKS - 4)
    deleted = Stock.objects.order_by("pk")[0].stock_code
    Stock.objects.filter(stock_code=deleted).update(deleted=True)

    said = sync_stocks()

    assert said == "new stocks: HK 4"
    assert codes() == set(sim.codes("HK")) - {deleted}
    assert sim.asked == 1


def test_chosen_stocks_do_not_become_the_whole_market(
    sim: Staged, caplog: pytest.LogCaptureFixture
) -> None:
    world.hold_stocks(sim, "HK", most=10)
    world.hold_unknown("HK", "99001")

    with caplog.at_level(logging.WARNING):
        done = sync_stocks_weekly(stop=Event())

    assert done["HK"].created == 0
    assert codes() == {*sim.codes("HK")[:10], "99001"}
    assert "HK: 50 more stocks are listed" in caplog.text
    gone = Stock.objects.exclude(unlisted_at=None)
    assert list(gone.values_list("stock_code", flat=True)) == ["99001"]


def test_what_cannot_be_had_is_left_to_the_next_week(
    sim: Staged, caplog: pytest.LogCaptureFixture
) -> None:
    world.hold_stocks(sim, "HK")
    sim.down("503")

    assert sync_stocks_weekly(stop=Event()) == {}
    assert "No list of HK" in caplog.text
    assert codes() == set(sim.codes("HK"))
