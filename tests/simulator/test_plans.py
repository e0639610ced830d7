from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest

from sync.simulator import Account, Quirks, Simulator

from .calls import IN_SESSION, KEY, WEEKEND, bars, get, kline

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

DEEP = "simulated-token-02"
WHOLE = Quirks(page_cap=0)


def seeing(depth: Mapping[str, int | date], **others: Any) -> Simulator:
    """One shallow key, and one that sees everything."""
    accounts = [Account(KEY, depth=depth, batch_size=3), Account(DEEP, batch_size=3)]
    return Simulator(accounts=accounts, **({"now": IN_SESSION} | others))


def test_a_shallow_key_sees_the_last_bars_only_whatever_it_asks() -> None:
    with seeing({"day": 440}, quirks=WHOLE) as sim:
        everything = bars(sim, key=DEEP, limit=9999)
        shallow = bars(sim, limit=9999)
        walked = bars(sim, limit=9999, et=shallow[100]["t"])
        before = bars(sim, et=shallow[0]["t"])

    assert shallow == everything[-440:]
    assert walked == shallow[:100]
    assert before == []


def test_the_depth_is_a_plan_and_no_page() -> None:
    with seeing({"day": 440}) as sim:
        page = bars(sim, limit=300)
        rest = bars(sim, limit=300, et=page[0]["t"])

    assert (len(page), len(rest)) == (300, 140)


def test_the_horizon_moves_with_the_clock() -> None:
    clock = [datetime(2026, 11, 20, 3, 0, tzinfo=UTC)]
    with seeing({"day": 5}, now=lambda: clock[0]) as sim:
        before = bars(sim, limit=9)
        clock[0] = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
        after = bars(sim, limit=9)

    assert [bar["t"] for bar in after[:-1]] == [bar["t"] for bar in before[1:]]


def test_the_depth_may_be_a_date_and_differs_by_period() -> None:
    with seeing({"day": date(2025, 7, 1), "week": 3, "1m": 10}, now=WEEKEND) as sim:
        days = bars(sim, limit=500)
        before = bars(sim, limit=500, et=days[0]["t"])
        deep = bars(sim, key=DEEP, limit=500, et=days[0]["t"])

        assert len(bars(sim, kType=9, limit=500)) == 3
        assert len(bars(sim, kType=1, limit=500)) == 10
        assert len(bars(sim, kType=10, limit=100)) == 100
    first = datetime.fromtimestamp(days[0]["t"] / 1000, UTC)
    assert first == datetime(
        2025, 7, 1, 16, tzinfo=UTC
    )  # the 2nd: the 1st is a holiday
    assert (before, len(deep)) == ([], 500)


def test_a_batch_is_as_deep_as_the_key() -> None:
    query: dict[str, Any] = {"region": "HK", "codes": "700,701", "kType": 8}
    with seeing({"day": 7}) as sim:
        found = get(sim, "/stock/klines", **query, limit=50).json()["data"]

    assert {code: len(part) for code, part in found.items()} == {"700": 7, "701": 7}


def test_a_plan_can_be_upgraded_while_it_runs() -> None:
    with seeing({"day": 5}) as sim:
        before = bars(sim, limit=50)
        known = sim.change_plan(KEY, depth={}, batch_size=1, minute_limit=3)
        after = bars(sim, limit=50)

        usage = sim.ledger[KEY]
        assert sim.change_plan("nobody", depth={}) is False
        last = [kline(sim).status_code for _ in "ab"]
    assert (known, len(before), len(after)) == (True, 5, 50)
    assert len(usage.calls) == 2  # what was called stays counted
    assert last == [200, 429]


def test_a_term_that_no_plan_has_is_refused() -> None:
    with seeing({}) as sim, pytest.raises(TypeError, match="colour"):
        sim.change_plan(KEY, colour="red")


def test_each_key_is_refused_in_its_own_words_and_can_come_back() -> None:
    with seeing({}) as sim:
        sim.revoke(KEY, refusal="package_expired")
        refused = kline(sim).json()
        other = kline(sim, key=DEEP).json()
        sim.change_plan(KEY, valid=True)

        assert kline(sim).json()["code"] == 0
    assert (refused["code"], refused["msg"]) == (1, "package has expired")
    assert other["code"] == 0
