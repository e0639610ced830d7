"""K 线的 CSV:一次调用一个市场。"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.signals import request_finished
from django.db import close_old_connections
from rest_framework.test import APIClient

from sync.api import streams
from sync.api.streams import PIECE, Busy, Pieces
from sync.models import Stock
from tests import people

from . import rows

PATH = "/api/stock/klines.csv"
HEADER = "market,stock_code,period,time,open,high,low,close,volume,turnover"


@pytest.fixture
def stock(db: None) -> Stock:
    """有三根日线的股票,旁边还有一只。"""
    stock = rows.stock()
    for day in (4, 5, 6):
        rows.kline(stock, datetime(2024, 3, day, tzinfo=UTC), price=f"{day}.25")
    rows.kline(rows.stock("5"), datetime(2024, 3, 5, tzinfo=UTC), price="2.50")
    return stock


def read(client: APIClient, **query: Any) -> list[str]:
    answer = client.get(PATH, {"market": "HK"} | query)
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.streaming
    text = b"".join(answer).decode()
    assert text.startswith(HEADER + "\n")
    return text.splitlines()[1:]


def hang_up(answer: Any) -> None:
    """As the server does; but the test's connection stays open."""
    request_finished.disconnect(close_old_connections)
    answer.close()
    request_finished.connect(close_old_connections)


def test_a_market_comes_by_stock_then_time(stock: Stock, viewer: APIClient) -> None:
    found = [line.split(",")[:5] for line in read(viewer)]

    assert found == [
        ["HK", "5", "day", "2024-03-05", "2.5"],
        ["HK", "700", "day", "2024-03-04", "4.25"],
        ["HK", "700", "day", "2024-03-05", "5.25"],
        ["HK", "700", "day", "2024-03-06", "6.25"],
    ]


def test_a_stock_however_it_is_written(stock: Stock, viewer: APIClient) -> None:
    assert len(read(viewer, stock_code="0700.HK")) == 3
    assert len(read(viewer, stockCode="700", start="2024-03-05")) == 2


def test_a_day_of_the_market(stock: Stock, viewer: APIClient) -> None:
    found = read(viewer, start="2024-03-05", end="2024-03-05")

    assert [line.split(",")[1] for line in found] == ["5", "700"]


@pytest.mark.parametrize(
    ("query", "status", "name"),
    [
        ({}, 400, "market"),
        ({"market": "XX"}, 400, "market"),
        ({"market": "HK", "period": "2m"}, 400, "period"),
        ({"market": "HK", "start": "20240305"}, 400, "start"),
        ({"market": "HK", "start": "2024-03-05", "end": "2024-03-04"}, 400, "start"),
        ({"market": "HK", "stock_code": "1"}, 404, "detail"),
    ],
)
def test_a_bad_value_is_told_before_anything_is_sent(
    viewer: APIClient, query: dict[str, str], status: int, name: str
) -> None:
    answer = viewer.get(PATH, query, headers={"Accept": "text/csv"})

    assert answer.status_code == status
    assert name in answer.json()


@pytest.mark.parametrize(
    ("accepted", "zipped"),
    [
        ("gzip, deflate", True),
        ("br;q=1, gzip;q=0.5", True),
        ("*", True),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip;q=0.0", False),
    ],
)
def test_whoever_accepts_gzip_gets_it(
    stock: Stock, viewer: APIClient, accepted: str, *, zipped: bool
) -> None:
    plain = viewer.get(PATH, {"market": "HK"})
    headers = {"Accept-Encoding": accepted}

    answer = viewer.get(PATH, {"market": "HK"}, headers=headers)

    body, whole = b"".join(answer), b"".join(plain)
    assert (answer.get("Content-Encoding") == "gzip") == zipped
    assert (gzip.decompress(body) if zipped else body) == whole


def test_beyond_so_many_at_once_the_next_has_to_wait(
    stock: Stock, viewer: APIClient
) -> None:
    held = [viewer.get(PATH, {"market": "HK"}) for _ in range(3)]

    refused = viewer.get(PATH, {"market": "HK"})

    assert (refused.status_code, refused["Retry-After"]) == (429, "5")
    assert "moment" in refused.json()["detail"]
    hang_up(held.pop())  # before the first line
    assert len(read(viewer)) == 4
    for each in held:
        hang_up(each)
    for _ in range(9):
        Pieces(iter("x"), gzip=False).close()


def test_a_place_is_given_back_once(db: None) -> None:
    taken = [Pieces(iter("x"), gzip=False) for _ in range(3)]
    taken[0].close()
    taken[0].close()

    again = Pieces(iter("x"), gzip=False)

    with pytest.raises(Busy):
        Pieces(iter("x"), gzip=False)
    for each in [*taken, again]:
        each.close()


@pytest.mark.parametrize("sizes", [[1, 2, 3], [PIECE], [3 * PIECE + 1, 5], []])
def test_pieces_are_small_and_lose_nothing(sizes: list[int]) -> None:
    text = [chr(ord("a") + n) * size for n, size in enumerate(sizes)]

    pieces = Pieces(iter(text), gzip=False)

    found = list(pieces)
    pieces.close()
    assert b"".join(found) == "".join(text).encode()
    assert all(len(piece) == PIECE for piece in found[:-1])
    assert len(found[-1]) < PIECE


def test_a_call_counts(viewer: APIClient, settings: Any) -> None:
    settings.API_CALLS_PER_MINUTE = 1

    first, second = (viewer.get(PATH, {"market": "HK"}) for _ in range(2))

    hang_up(first)
    assert (first.status_code, second.status_code) == (200, 429)


def test_a_key_without_the_permission_is_refused(stock: Stock) -> None:
    answer = people.caller(people.POWERLESS_KEY).get(PATH, {"market": "HK"})

    assert answer.status_code == 403


def test_an_error_midway_breaks_the_answer_off(db: None) -> None:
    def broken() -> Iterator[str]:
        yield "x" * PIECE
        raise ConnectionError

    pieces = Pieces(streams._released(broken()), gzip=True)

    with pytest.raises(ConnectionError):
        list(pieces)
    pieces.close()


def test_splits_are_named_in_the_headers(viewer: APIClient) -> None:
    stock = rows.stock()
    for day, price in ((4, "30"), (5, "30"), (6, "10"), (7, "10")):
        rows.kline(stock, datetime(2024, 3, day, tzinfo=UTC), price=price)
    rows.split("700", ratio="3:1")  # on the sixth

    answer = viewer.get(PATH, {"market": "HK", "adjust": "split"})

    found = [line.split(",")[4] for line in b"".join(answer).decode().split()[1:]]
    assert found == ["10"] * 4
    assert answer["X-Splits-Applied"] == "HK 700 2024-03-06 3/1"
    assert answer["X-Splits-Unknown"] == ""


def test_weeks_are_made_of_days(stock: Stock, viewer: APIClient) -> None:
    assert read(viewer, stock_code="700", resample="week") == [
        "HK,700,week,2024-03-04,4.25,6.25,4.25,6.25,15.75,15.75"
    ]
    bad = viewer.get(PATH, {"market": "HK", "period": "5m", "resample": "week"})
    assert (bad.status_code, list(bad.json())) == (400, ["resample"])
