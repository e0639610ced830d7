"""目录的接口:有哪些股票,每只存着什么。"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from sync.models import Stock

from . import rows

pytestmark = pytest.mark.django_db
PATH = "/api/stock/stocks"


def codes(client: APIClient, **query: Any) -> list[str]:
    answer = client.get(PATH, query)
    assert answer.status_code == 200, answer.json()
    return [f"{row['market']} {row['stock_code']}" for row in answer.json()["results"]]


def time(day: int, hour: int = 0) -> datetime:
    return datetime(2024, 3, day, hour, tzinfo=UTC)


def test_a_stock_has_its_periods_with_coverage_and_ends(viewer: APIClient) -> None:
    stock = Stock.objects.create(
        market="HK", stock_code="700", stock_name="Tencent", exchange="HKEX"
    )
    rows.covered(stock)
    for day in (5, 7, 6):
        rows.kline(stock, time(day))
    for hour in (3, 2):
        rows.kline(stock, time(11, hour), period="5m")
    rows.covered(stock, period="week")
    rows.kline(rows.stock("5"), time(1))

    row = viewer.get(PATH, {"stock_code": "700"}).json()["results"][0]

    covered = {"covered_from": "2024-03-04", "covered_to": "2024-03-08"}
    assert row == {
        "market": "HK",
        "stock_code": "700",
        "stock_name": "Tencent",
        "exchange": "HKEX",
        "deleted": False,
        "periods": [
            # Not final yet: there, and not covered.
            {
                "period": "5m",
                "covered_from": None,
                "covered_to": None,
                "first_bar": "2024-03-11T02:00:00Z",
                "last_bar": "2024-03-11T03:00:00Z",
            },
            {
                "period": "day",
                **covered,
                "first_bar": "2024-03-05T00:00:00Z",
                "last_bar": "2024-03-07T00:00:00Z",
            },
            # Asked for, and the provider had nothing.
            {"period": "week", **covered, "first_bar": None, "last_bar": None},
        ],
    }


def test_stocks_go_by_market_and_code_and_stay_when_deleted(viewer: APIClient) -> None:
    for market, code in (("US", "A"), ("HK", "700"), ("HK", "1")):
        rows.stock(code, market=market)
    Stock.objects.filter(stock_code="700").update(deleted=True)

    assert codes(viewer) == ["HK 1", "HK 700", "US A"]
    assert codes(viewer, market="HK") == ["HK 1", "HK 700"]
    assert codes(viewer, size=2, page=2) == ["US A"]
    listed = viewer.get(PATH, {"market": "HK"}).json()["results"]
    assert [row["deleted"] for row in listed] == [False, True]
    assert listed[0]["periods"] == []


@pytest.mark.parametrize("text", ["1", "00001", "0001.HK"])
def test_a_code_is_found_however_it_is_written(viewer: APIClient, text: str) -> None:
    rows.stock("1")
    rows.stock("000001", market="SZ")

    assert codes(viewer, stock_code=text, market="HK") == ["HK 1"]
    assert codes(viewer, stockCode=text) == ["HK 1"]


def test_a_page_costs_the_same_however_many_stocks_it_has(
    viewer: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(1, 31):
        rows.covered(rows.stock(str(number)))

    # Session, user, two for permissions; count, ids, rows; coverage, bars.
    with django_assert_num_queries(9):
        assert len(codes(viewer)) == 30


@pytest.mark.parametrize(
    "query", ["market=XX", "stock_code=%00", "size=1001", "code=1"]
)
def test_a_bad_value_is_refused(viewer: APIClient, query: str) -> None:
    answer = viewer.get(f"{PATH}?{query}")

    assert answer.status_code == 400
    assert list(answer.json()) == [query.partition("=")[0]]
