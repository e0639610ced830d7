from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from sync.simulator import Simulator

from .calls import IN_SESSION, bars, get

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator(now=IN_SESSION) as simulator:
        yield simulator


def told(sim: Simulator, path: str, **query: Any) -> Any:
    asked = {"region": "HK"} | query
    return get(sim, f"/stock/{path}", **asked).json()["data"]


def test_a_quote_is_the_forming_day_and_yesterdays_close(sim: Simulator) -> None:
    yesterday, today = bars(sim, limit=2)
    quote = told(sim, "quote", code="700")

    assert (quote["s"], quote["ts"]) == ("700", 0)
    assert quote["p"] == yesterday["c"]
    assert [quote[key] for key in ("o", "h", "l", "ld", "v")] == [
        today[key] for key in ("o", "h", "l", "c", "v")
    ]
    assert quote["t"] == IN_SESSION.timestamp() * 1000
    assert quote["ch"] == pytest.approx(today["c"] - yesterday["c"], abs=1e-6)


def test_quotes_are_keyed_by_code_and_leave_out_what_is_unknown(sim: Simulator) -> None:
    found = told(sim, "quotes", codes="700,701,9")

    assert found == {code: told(sim, "quote", code=code) for code in ("700", "701")}
    assert told(sim, "quote", code="9") is None


def test_a_suspended_stock_is_told_from_a_hole(sim: Simulator) -> None:
    last = bars(sim, limit=2)[0]
    sim.suspend("HK", "700", date(2026, 11, 20), date(2026, 11, 30))
    sim.halt("HK", "701")
    found = told(sim, "quotes", codes="700,701,702")

    suspended = found["700"]
    assert {code: quote["ts"] for code, quote in found.items()} == {
        "700": 1,
        "701": 3,
        "702": 0,
    }
    assert (suspended["ld"], suspended["p"]) == (last["c"], last["c"])
    assert [suspended[key] for key in ("o", "h", "l", "v", "ch")] == [0] * 5
    assert suspended["t"] < datetime(2026, 11, 20, tzinfo=UTC).timestamp() * 1000
    sim.halt("HK", "701", halted=False)
    assert told(sim, "quote", code="701")["ts"] == 0


def test_ticks_and_depths_follow_the_last_price(sim: Simulator) -> None:
    last = bars(sim, limit=1)[0]["c"]
    tick = told(sim, "tick", code="700")
    depth = told(sim, "depth", code="700")

    assert (tick["s"], tick["ld"], tick["te"]) == ("700", last, 0)
    assert told(sim, "ticks", codes="700,9") == {"700": tick}
    assert told(sim, "depths", codes="700,9") == {"700": depth}
    asks, bids = depth["a"], depth["b"]
    assert [level["po"] for level in asks] == list(range(1, 11))
    assert asks[0]["p"] > last > bids[0]["p"] > bids[9]["p"] > 0


def test_a_company_is_described(sim: Simulator) -> None:
    found = told(sim, "info", type="stock", code="700")

    assert (found["c"], found["e"], found["fcc"]) == ("700", "HKEX", "HKD")
    assert told(sim, "info", type="stock", code="9") is None
    assert told(sim, "info", type="fund", code="700") is None
