"""Several stocks in one call: what is sent, and which pages are believed."""

from __future__ import annotations

from typing import Any

import pytest

from sync.engine.errors import BadAnswer, RateLimited, UnknownSymbol
from sync.engine.ports import Page, PageRequest
from sync.providers.itick import ItickClient

from .server import Server, answer, asking, bar, token

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
SOUND = [bar(0), bar(1), bar(2)]
BAD = [bar(t=None)]


def batch(*codes: str) -> list[PageRequest]:
    return [asking(code=code) for code in codes]


def fetched(
    client: ItickClient, server: Server, data: Any, *codes: str
) -> dict[str, Page]:
    server.script = answer({"code": 0, "data": data})
    return client.fetch_many(token(server.url), batch(*codes))


def test_several_stocks_are_asked_for_in_one_call(
    server: Server, client: ItickClient
) -> None:
    fetched(client, server, {}, "700", "5", "9988")

    (seen,) = server.seen
    assert seen.path == "/stock/klines"
    assert seen.query == {
        "region": "HK",
        "codes": "700,5,9988",
        "kType": "8",
        "limit": "1000",
        "et": str(asking().end_ms),
    }


def test_each_stock_gets_the_page_under_its_own_code(
    server: Server, client: ItickClient
) -> None:
    data = {"5": [bar(0, v=5)], "700": [bar(0, v=700), bar(1)], "1": SOUND}

    pages = fetched(client, server, data, "700", "5")

    assert [len(pages[code].klines) for code in ("700", "5")] == [2, 1]
    assert [pages[code].klines[0].volume for code in ("700", "5")] == [700, 5]
    assert set(pages) == {"700", "5"}


@pytest.mark.parametrize("gap", [None, [], {}, BAD, "bars", {"t": 1}, [[1, 2]]])
def test_a_stock_without_a_page_is_left_out_and_spoils_no_other(
    server: Server, client: ItickClient, gap: Any
) -> None:
    pages = fetched(client, server, {"700": SOUND, "5": gap}, "700", "5")

    assert {code: len(page.klines) for code, page in pages.items()} == {"700": 3}


@pytest.mark.parametrize("keys", [("AAPL", "700"), ("aapl", "00700"), ("Aapl", "0700")])
def test_the_keys_may_be_in_another_case_or_have_leading_zeros(
    server: Server, client: ItickClient, keys: tuple[str, str]
) -> None:
    data = {keys[0]: SOUND, keys[1]: [bar(0)]}

    pages = fetched(client, server, data, "AAPL", "700")

    assert {code: len(page.klines) for code, page in pages.items()} == {
        "AAPL": 3,
        "700": 1,
    }


def test_the_exact_key_comes_before_one_that_is_alike(
    server: Server, client: ItickClient
) -> None:
    data = {"0700": SOUND, "700": [bar(0)], "00700": SOUND}

    pages = fetched(client, server, data, "700", "5")

    assert {code: len(page.klines) for code, page in pages.items()} == {"700": 1}


def test_a_token_that_is_sent_back_among_the_numbers_is_masked(
    server: Server, client: ItickClient
) -> None:
    server.script = answer({"code": 0, "data": {"700": [bar(0, c="key5"), bar(1)]}})

    pages = client.fetch_many(token(server.url, value="key5"), batch("700", "5"))

    (bad,) = pages["700"].bad
    assert bad.values.endswith("c=**** v=500 tu=5400")


def test_a_stock_that_is_not_in_the_answer_is_left_out(
    server: Server, client: ItickClient
) -> None:
    assert set(fetched(client, server, {"700": SOUND}, "700", "5")) == {"700"}


def test_bars_left_out_of_a_page_are_told_with_it(
    server: Server, client: ItickClient
) -> None:
    data = {"700": [*SOUND, bar(3, c=99)], "5": SOUND}

    pages = fetched(client, server, data, "700", "5")

    assert [len(pages[code].bad) for code in ("700", "5")] == [1, 0]


@pytest.mark.parametrize("data", [None, {}, [], {"700": None, "5": []}])
def test_an_empty_answer_is_no_page_at_all(
    server: Server, client: ItickClient, data: Any
) -> None:
    assert fetched(client, server, data, "700", "5") == {}


def test_where_no_page_can_be_read_the_answer_is_bad(
    server: Server, client: ItickClient
) -> None:
    with pytest.raises(BadAnswer):
        fetched(client, server, {"700": BAD, "5": None}, "700", "5")


def test_a_bare_list_of_bars_belongs_to_nobody(
    server: Server, client: ItickClient
) -> None:
    with pytest.raises(BadAnswer, match="not keyed"):
        fetched(client, server, SOUND, "700", "5")


@pytest.mark.parametrize(
    ("code", "words", "leaf"),
    [
        ("E001", "not found this produce", UnknownSymbol),
        (1, "your request is too much", RateLimited),
    ],
)
def test_errors_of_the_whole_call_are_those_of_a_single_one(
    server: Server, client: ItickClient, code: Any, words: str, leaf: type[Exception]
) -> None:
    server.script = answer({"code": code, "msg": words, "data": None})

    with pytest.raises(leaf):
        client.fetch_many(token(server.url), batch("700", "5"))
