"""升级:早先版本存下的写法换成规则的写法。"""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection

from sync.models import Coverage, Stock, SyncFailure
from tests.rows import WINDOW, stock

pytestmark = pytest.mark.django_db


def upgrade() -> None:
    migration = import_module("sync.migrations.0011_stock_codes")
    migration.respell(apps, SimpleNamespace(connection=connection))


def cover(of: Stock) -> Coverage:
    return Coverage.objects.create(
        stock=of, period="day", start_date=WINDOW.start, end_date=WINDOW.end
    )


def fail(code: str, *, market: str = "HK") -> SyncFailure:
    return SyncFailure.objects.create(
        stock_code=code, market=market, start_date=WINDOW.start, end_date=WINDOW.end
    )


def test_a_stock_takes_its_bars_and_failures_along() -> None:
    old, failure = stock("00700"), fail("00700")
    coverage = cover(old)

    upgrade()

    assert Stock.objects.get().stock_code == "700"
    coverage.refresh_from_db()
    failure.refresh_from_db()
    assert (coverage.stock.stock_code, failure.stock_code) == ("700", "700")


@pytest.mark.parametrize("deleted", [True, False])
def test_of_two_the_one_that_is_spelled_right_stays(deleted: bool) -> None:
    wrong, right, failure = stock("0700"), stock("700", deleted=deleted), fail("0700")
    cover(wrong)

    upgrade()

    assert list(Stock.objects.active()) == [right]
    assert Coverage.objects.get().stock == wrong
    failure.refresh_from_db()
    assert failure.stock_code == "700"


def test_three_spellings_become_one() -> None:
    for code in ("00700", "0700.HK", "'700"):
        stock(code)

    upgrade()

    assert [one.stock_code for one in Stock.objects.active()] == ["700"]


def test_a_code_that_cannot_be_read_goes_unless_it_has_bars() -> None:
    stock("6.00519E+05", market="SH")
    stock("#N/A")
    known = stock("60051X", market="SH")
    cover(known)

    upgrade()

    assert list(Stock.objects.active()) == [known]


def test_what_is_spelled_right_is_not_touched() -> None:
    for market, code in (("HK", "700"), ("SZ", "000001"), ("US", "BRK.B"), ("XX", "x")):
        stock(code, market=market)
    before = list(Stock.objects.order_by("pk").values())

    upgrade()

    assert list(Stock.objects.order_by("pk").values()) == before
