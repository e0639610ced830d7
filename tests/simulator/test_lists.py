from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from sync.simulator import Quirks, Simulator

from .calls import IN_SESSION, bars, get, kline

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    """One for all: nothing here changes it."""
    with Simulator(now=IN_SESSION) as simulator:
        yield simulator


def listed(sim: Simulator, **query: Any) -> list[dict[str, Any]]:
    asked = {"type": "stock", "region": "US"} | query
    rows: list[dict[str, Any]] = get(sim, "/symbol/list", **asked).json()["data"]
    return rows


def splits(sim: Simulator, **query: Any) -> dict[str, Any]:
    page: dict[str, Any] = get(
        sim, "/stock/split", **({"region": "HK"} | query)
    ).json()["data"]
    return page


def test_a_list_can_be_asked_for_one_code(sim: Simulator) -> None:
    assert [row["c"] for row in listed(sim, code="IBM")] == ["IBM"]
    assert listed(sim, code="NONE") == []


def test_a_fund_has_a_list_of_its_own_and_no_bars_of_a_stock(sim: Simulator) -> None:
    rows = listed(sim, type="fund")

    assert [(row["c"], row["t"]) for row in rows] == [("SPY", "fund")]
    assert kline(sim, region="US", code="SPY").json() == {
        "code": 0,
        "msg": "ok",
        "data": None,
    }
    assert listed(sim, type="crypto") == []


def test_odd_rows_are_another_exchanges_a_fund_a_code_twice_and_html() -> None:
    with Simulator(quirks=Quirks(odd_rows=True), now=IN_SESSION) as sim:
        rows = listed(sim)

    codes = [row["c"] for row in rows]
    assert codes == ["AAPL", "FB", "GOOG", "IBM", "MSFT", "AAPL", "RELIANCE", "SPY"]
    assert {row["e"] for row in rows if row["c"] == "AAPL"} == {"NASDAQ", "OTC"}
    assert rows[1]["n"] == "Simulated &amp; Sons"
    assert (rows[-2]["e"], rows[-1]["t"]) == ("NSE", "fund")


def test_there_is_no_split_before_one_is_told(sim: Simulator) -> None:
    assert splits(sim) == {
        "content": [],
        "page": 0,
        "size": 20,
        "totalElements": 0,
        "totalPages": 0,
        "last": True,
    }


@pytest.mark.parametrize("first_page", [0, 1])
def test_splits_come_in_pages_the_newest_first(first_page: int) -> None:
    with Simulator(quirks=Quirks(first_page=first_page), now=IN_SESSION) as sim:
        for day in range(1, 26):
            sim.split("HK", f"{700 + day}", date(2026, 10, day), new=1, old=10)
        sim.split("US", "AAPL", date(2026, 10, 1), new=4)
        pages = [splits(sim, page=first_page + number) for number in range(3)]

        assert splits(sim) == pages[0]
        assert len(splits(sim, size=7)["content"]) == 7
        assert splits(sim, size=7, page=first_page + 3)["last"] is True
        assert len(splits(sim, region="US")["content"]) == 1
    assert [len(page["content"]) for page in pages] == [20, 5, 0]
    assert [page["last"] for page in pages] == [False, True, True]
    assert {page["totalElements"] for page in pages} == {25}
    assert {page["totalPages"] for page in pages} == {2}
    newest = datetime(2026, 10, 25, tzinfo=UTC)
    assert pages[0]["content"][0] == {
        "d": newest.timestamp() * 1000,
        "r": "HK",
        "n": "Simulated 725",
        "c": "725",
        "v": "1:10",
    }


def test_the_ratio_may_be_written_the_other_way_round() -> None:
    with Simulator(quirks=Quirks(split_ratio="old_new"), now=IN_SESSION) as sim:
        sim.split("HK", "700", date(2026, 10, 1), new=4)

        assert splits(sim)["content"][0]["v"] == "1:4"


def test_new_stocks_are_listed_and_none_is_to_come() -> None:
    at = datetime(2025, 7, 1, tzinfo=UTC)
    with Simulator(now=at) as sim:
        query: dict[str, Any] = {"region": "HK", "size": 500}
        recent = get(sim, "/stock/ipo", **query, type="recent").json()["data"]
        upcoming = get(sim, "/stock/ipo", **query, type="upcoming").json()["data"]

        row = recent["content"][0]
        first = bars(sim, code=row["sc"], limit=500)[0]["t"]
    assert 0 < recent["totalElements"] < 30
    assert upcoming["content"] == []
    # Midnight in Hong Kong is in the afternoon before, in UTC.
    assert -1 < (first - row["dt"]) / 86_400_000 < 10
