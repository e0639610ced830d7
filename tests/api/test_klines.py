"""K 线的接口。"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from sync.models import Stock

from . import rows

PATH = "/api/stock/klines"
WANTED = {"market": "HK", "stock_code": "700"}


def midnight(day: int) -> datetime:
    return datetime(2024, 3, day, tzinfo=UTC)


@pytest.fixture
def stock(db: None) -> Stock:
    """有五根日线的股票。"""
    stock = rows.stock()
    for day in (8, 4, 6, 5, 7):
        rows.kline(stock, midnight(day), price=f"{day}.25")
    return stock


def days(client: APIClient, **query: Any) -> list[str]:
    answer = client.get(PATH, WANTED | query)
    assert answer.status_code == 200, answer.json()
    return [row["time"][8:10] for row in answer.json()["results"]]


def test_bars_come_oldest_first(stock: Stock, viewer: APIClient) -> None:
    assert days(viewer) == ["04", "05", "06", "07", "08"]


def test_both_ends_are_included(stock: Stock, viewer: APIClient) -> None:
    assert days(viewer, start="2024-03-05", end="2024-03-07") == ["05", "06", "07"]
    assert days(viewer, start="2024-03-07") == ["07", "08"]
    assert days(viewer, end="2024-03-04") == ["04"]


@pytest.mark.parametrize("text", ["00700", "0700.HK"])
def test_a_stock_is_found_however_its_code_is_written(
    stock: Stock, viewer: APIClient, text: str
) -> None:
    answer = viewer.get(PATH, WANTED | {"stock_code": text}).json()

    assert (answer["stock_code"], len(answer["results"])) == ("700", 5)


def test_numbers_are_text_and_lose_nothing(viewer: APIClient) -> None:
    rows.kline(rows.stock(), midnight(4), price="123456.7891")

    row = viewer.get(PATH, WANTED).json()["results"][0]

    assert row == {
        "time": "2024-03-04T00:00:00Z",
        "open": "123456.78910000",
        "high": "123456.78910000",
        "low": "123456.78910000",
        "close": "123456.78910000",
        "volume": "123456.7891",
        "turnover": "123456.7891",
    }


def test_pages_follow_each_other_without_a_gap(stock: Stock, viewer: APIClient) -> None:
    pages, url = [], PATH + "?market=HK&stockCode=700&size=2&end=2024-03-08"
    while url:
        page = viewer.get(url).json()
        pages.append([row["time"][8:10] for row in page["results"]])
        url = page["next"]

    assert pages == [["04", "05"], ["06", "07"], ["08"]]


def test_a_last_page_that_is_full_has_no_next(stock: Stock, viewer: APIClient) -> None:
    page = viewer.get(PATH, WANTED | {"size": 5}).json()

    assert len(page["results"]) == 5
    assert page["next"] is None


def test_bars_of_another_stock_or_period_are_not_mixed_in(
    stock: Stock, viewer: APIClient
) -> None:
    rows.kline(stock, midnight(1), period="week")
    rows.kline(rows.stock("5"), midnight(2))

    assert days(viewer) == ["04", "05", "06", "07", "08"]
    assert days(viewer, period="week") == ["01"]


def test_the_days_of_minutes_are_the_exchanges_days(viewer: APIClient) -> None:
    stock = rows.stock("A", market="US")
    opening = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)
    evening = datetime(2024, 3, 5, 0, 30, tzinfo=UTC)  # still the 4th in New York
    for time in (opening, evening, opening + timedelta(days=1)):
        rows.kline(stock, time, period="5m")

    answer = viewer.get(
        PATH,
        {
            "market": "US",
            "stock_code": "A",
            "period": "5m",
            "start": "2024-03-04",
            "end": "2024-03-04",
        },
    )

    assert [row["time"] for row in answer.json()["results"]] == [
        "2024-03-04T14:30:00Z",
        "2024-03-05T00:30:00Z",
    ]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"market": "", "stock_code": ""}, {"market", "stock_code"}),
        ({"market": ""}, {"market"}),
        ({"market": "XX"}, {"market"}),
        ({"period": "daily"}, {"period"}),
        ({"start": "2024-13-01"}, {"start"}),
        ({"start": "20240304"}, {"start"}),
        ({"end": "2024-3-4"}, {"end"}),
        ({"end": ["2024-03-04", "2024-03-05"]}, {"end"}),
        ({"start": "2024-03-05", "end": "2024-03-04"}, {"start"}),
        ({"cursor": "garbage"}, {"cursor"}),
        ({"size": "0"}, {"size"}),
        ({"size": "2001"}, {"size"}),
    ],
)
def test_a_bad_value_is_refused_by_its_name(
    stock: Stock, viewer: APIClient, query: dict[str, Any], names: set[str]
) -> None:
    answer = viewer.get(PATH, WANTED | query)

    assert answer.status_code == 400
    assert set(answer.json()) == names


def test_an_unknown_stock_is_not_found(stock: Stock, viewer: APIClient) -> None:
    answer = viewer.get(PATH, {"market": "SZ", "stock_code": "700"})

    assert answer.status_code == 404
    assert answer.json() == {"detail": "There is no stock 700 in SZ."}


@pytest.mark.parametrize("period", ["day", "1m"])
def test_dates_at_the_ends_of_the_calendar_mean_everything(
    stock: Stock, viewer: APIClient, period: str
) -> None:
    ends = {"start": "0001-01-01", "end": "9999-12-31"}

    assert len(days(viewer, **ends)) == 5
    assert days(viewer, **ends, period=period) == days(viewer, period=period)
    assert days(viewer, start="9999-12-31") == days(viewer, end="0001-01-01") == []


@pytest.mark.parametrize("cursor", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_cursor_at_the_end_of_time_harms_nothing(
    stock: Stock, viewer: APIClient, cursor: str
) -> None:
    assert viewer.get(PATH, WANTED | {"cursor": cursor}).status_code == 200


def test_a_page_is_two_queries(
    stock: Stock, viewer: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    # Session, user, two for permissions; stock, bars.
    with django_assert_num_queries(6):
        viewer.get(PATH, WANTED)
