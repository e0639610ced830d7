"""A preview of a list tells what the import would do, and writes nothing."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sync.models import Stock
from sync.services import import_stocks, preview_stocks
from tests.rows import stock

pytestmark = pytest.mark.django_db
FILE = b"market,stock_code,stock_name\nHK,700,Tencent\nHK,5,HSBC\nHK,9,Same\nHK,1,CKH\n"


@pytest.fixture(autouse=True)
def _stocks() -> None:
    stock("700")
    Stock.objects.filter(stock_code="700").update(stock_name="Old")
    stock("9")
    Stock.objects.filter(stock_code="9").update(stock_name="Same")


def test_a_preview_only_reads() -> None:
    before = list(Stock.objects.values())

    with CaptureQueriesContext(connection) as queries:
        preview_stocks(FILE, most=10)

    # No transaction either: on SQLite it would take the one turn to write.
    assert [query["sql"].split()[0] for query in queries] == ["SELECT"]
    assert list(Stock.objects.values()) == before


def test_a_preview_foretells_the_import() -> None:
    preview = preview_stocks(FILE, most=10)

    assert preview.listed == import_stocks(FILE)
    assert [str(one) for one in preview.created] == ["HK 1", "HK 5"]
    assert [one.stock_name for one in preview.updated] == ["Tencent"]


def test_lists_are_bounded_and_figures_are_of_all() -> None:
    preview = preview_stocks(FILE, most=1)

    assert [str(one) for one in preview.created] == ["HK 1"]
    assert (preview.listed.created, preview.listed.updated) == (2, 1)
