"""The lists of stocks and of holidays."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from sync.engine.errors import AddressRefused, BadAnswer
from sync.providers.hours import Holiday
from sync.providers.itick import (
    ELSEWHERE,
    NO_CODE,
    NO_STOCK,
    ItickClient,
    Listing,
)

from .server import Server, answer, token

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def test_lists_the_stocks_of_a_market(server: Server, client: ItickClient) -> None:
    rows = [
        {"c": "700", "n": " Tencent\n Holdings ", "t": "stock", "e": "HK"},
        {"c": 5, "n": "HSBC", "t": "stock", "e": "HKEX", "s": "Bank"},
        {"c": "9988", "n": None, "e": "somewhere"},
    ]
    server.script = answer({"code": 200, "msg": "ok", "data": rows})

    stocks = client.list_stocks(token(server.url), "HK")

    assert stocks == [
        Listing("700", "Tencent Holdings", "HK"),
        Listing("5", "HSBC", "HKEX"),
        Listing("9988", "", "SOMEWHERE"),
    ]
    (seen,) = server.seen
    assert seen.path == "/symbol/list"
    assert seen.query == {"type": "stock", "region": "HK"}


def test_says_of_each_row_why_it_is_no_stock_of_the_market(
    server: Server, client: ItickClient
) -> None:
    rows: list[Any] = [
        {"c": "000001", "n": "Ping An Bank", "e": "SZ"},
        {"c": "000001", "n": "SSE Composite", "e": "SH"},
        {"c": "600519", "n": "Moutai", "e": "sse", "t": "Stock"},
        {"c": "RELIANCE", "n": "Reliance", "e": "NSE"},
        {"c": "AAPL", "n": "Apple", "e": "Nasdaq"},
        {"c": "000002", "n": "Vanke", "e": "XSHE"},
        {"c": 600036, "n": "a number", "e": "XSHG"},
        {"c": 600037.0, "n": "a float", "e": "SH"},
        {"c": True, "n": "no code at all", "e": "SH"},
        {"c": "510300", "n": "CSI 300", "e": "SH", "t": "fund"},
        {"c": "510500", "n": "CSI 500", "e": "SH", "t": "ETF"},
        {"c": " ", "n": "no code", "e": "SH"},
        {"n": "no code either", "e": "SH"},
        "text",
    ]
    server.script = answer({"code": 0, "data": rows})

    stocks = client.list_stocks(token(server.url), "SH")

    assert [row for row in stocks if not row.left_out] == [
        Listing("000001", "SSE Composite", "SH"),
        Listing("600519", "Moutai", "SSE"),
        Listing("600036", "a number", "XSHG"),
        Listing("600037.0", "a float", "SH"),
    ]
    assert [(row.code, row.left_out) for row in stocks if row.left_out] == [
        ("000001", ELSEWHERE),
        ("RELIANCE", ELSEWHERE),
        ("AAPL", ELSEWHERE),
        ("000002", ELSEWHERE),
        ("", NO_CODE),
        ("510300", NO_STOCK),
        ("510500", NO_STOCK),
        ("", NO_CODE),
        ("", NO_CODE),
    ]


@pytest.mark.parametrize("data", [None, {}, []])
def test_an_empty_list_is_no_stocks(
    server: Server, client: ItickClient, data: object
) -> None:
    server.script = answer({"code": 0, "data": data})

    assert client.list_stocks(token(server.url), "HK") == []


@pytest.mark.parametrize("data", ["text", {"700": []}, [{"c": "1", "e": "US"}], [5]])
def test_a_list_without_stocks_of_the_market_is_a_bad_answer(
    server: Server, client: ItickClient, data: object
) -> None:
    server.script = answer({"code": 0, "data": data})

    with pytest.raises(BadAnswer):
        client.list_stocks(token(server.url), "HK")


def test_refuses_a_bad_host_for_lists_too(client: ItickClient) -> None:
    with pytest.raises(AddressRefused, match="ITICK_ALLOWED_HOSTS"):
        client.list_stocks(token("https://evil.test"), "HK")


@pytest.mark.parametrize(
    ("market", "asked"), [("HK", "HK"), ("SH", "CN"), ("SZ", "CN")]
)
def test_lists_the_holidays_oldest_first(
    server: Server, client: ItickClient, market: str, asked: str
) -> None:
    rows = [
        {"c": asked, "d": "2026-10-01", "t": "", "z": "x", "v": "National Day"},
        {"c": asked, "d": "2026-01-01", "t": "09:30-12:00", "v": "New Year"},
    ]
    server.script = answer({"code": 0, "data": rows})

    holidays = client.holidays(token(server.url), market)

    assert holidays == [
        Holiday(date(2026, 1, 1), "New Year", "09:30-12:00"),
        Holiday(date(2026, 10, 1), "National Day", ""),
    ]
    assert server.seen[0].path == "/symbol/v2/holidays"
    assert server.seen[0].query == {"code": asked}


@pytest.mark.parametrize("day", ["soon", "", None, "2026-02-30"])
def test_a_holiday_without_a_date_is_a_bad_answer(
    server: Server, client: ItickClient, day: object
) -> None:
    server.script = answer({"code": 0, "data": [{"c": "HK", "d": day}]})

    with pytest.raises(BadAnswer):
        client.holidays(token(server.url), "HK")
