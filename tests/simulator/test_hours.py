from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from sync.simulator import Quirks, Simulator, hours

from .calls import IN_SESSION, get

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def status(at: datetime, code: str = "HK") -> dict[str, Any]:
    with Simulator(now=at) as sim:
        found: dict[str, Any] = get(sim, "/market/status", code=code).json()["data"]
    return found


@pytest.mark.parametrize(
    ("at", "code", "state"),
    [
        ("2026-11-20 00:30", "HK", "CLOSED"),
        ("2026-11-20 01:10", "HK", "PRE_MARKET"),
        ("2026-11-20 01:30", "HK", "OPEN"),
        ("2026-11-20 04:30", "HK", "LUNCH_BREAK"),
        ("2026-11-20 07:59", "HK", "OPEN"),
        ("2026-11-20 08:10", "HK", "POST_MARKET"),
        ("2026-11-20 09:00", "HK", "CLOSED"),
        ("2026-11-21 03:00", "HK", "CLOSED_WEEKEND"),
        ("2026-02-17 03:00", "HK", "CLOSED_HOLIDAY"),
        ("2026-02-16 03:00", "HK", "HOLIDAY_HALF_DAY"),
        ("2026-11-20 09:30", "US", "PRE_MARKET"),
        ("2026-11-21 00:30", "US", "POST_MARKET"),
        ("2026-11-27 15:00", "US", "HOLIDAY_HALF_DAY"),
        ("2026-10-01 03:00", "CN", "CLOSED_HOLIDAY"),
        ("2025-02-01 06:00", "IN", "OPEN"),
        ("2026-11-20 03:00", "VN", "CLOSED_HOLIDAY"),  # without a calendar
    ],
)
def test_the_status_says_what_a_market_does_now(at: str, code: str, state: str) -> None:
    found = status(datetime.fromisoformat(at).replace(tzinfo=UTC), code)

    assert found["s"] == state
    assert found["o"] == (state in {"OPEN", "HOLIDAY_HALF_DAY"})
    assert (found["h"] is None) == ("HOLIDAY" not in state)


def test_the_status_has_hours_zone_and_local_time() -> None:
    assert status(IN_SESSION) == {
        "c": "hk",
        "r": "Hong Kong",
        "o": True,
        "s": "OPEN",
        "h": None,
        "t": "09:00-09:30,09:30-12:00|13:00-16:00,16:00-16:30",
        "z": "Asia/Hong_Kong",
        "l": "2026-11-20 11:00:00",
    }


def test_a_holiday_names_the_usual_hours() -> None:
    with Simulator(now=IN_SESSION) as sim:
        found = get(sim, "/symbol/v2/holidays", code="HK").json()["data"]

    day = next(row for row in found if row["d"] == "2026-01-01")
    assert day == {
        "c": "HK",
        "r": "Hong Kong",
        "d": "2026-01-01",
        "t": "09:00-09:30,09:30-12:00|13:00-16:00,16:00-16:30",
        "z": "Asia/Hong_Kong",
        "v": "Exchange closed",
    }
    assert "2026-02-16" not in {row["d"] for row in found}


def test_half_days_may_be_listed_with_their_own_hours() -> None:
    with Simulator(now=IN_SESSION, quirks=Quirks(half_days=True)) as sim:
        found = get(sim, "/symbol/v2/holidays", code="HK").json()["data"]

    half = {row["d"]: row["t"] for row in found if row["v"] == "Half day"}
    assert half["2026-02-16"] == "09:00-09:30,09:30-12:00,12:00-12:30"
    assert "2026-02-17" not in half
    assert [row["d"] for row in found] == sorted(row["d"] for row in found)


def test_the_older_list_has_a_row_for_each_country_and_year(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The calendars of all of them take ten seconds to load.
    monkeypatch.setattr(hours, "_COUNTRIES", {"HK": "HK", "US": "US", "CN": "SH"})
    with Simulator(now=IN_SESSION) as sim:
        found = get(sim, "/symbol/holidays").json()["data"]
        one = get(sim, "/symbol/holidays", region="CN").json()["data"]

    rows = {(row["c"], row["ey"]): row for row in found}
    assert len(rows) == len(found)
    assert set(rows) == set(product(("HK", "US", "CN"), ("2025", "2026", "2027")))
    assert "2026-11-26" in json.loads(rows["US", "2026"]["v"])
    assert [row["ey"] for row in one] == ["2025", "2026", "2027"]


def test_the_newer_address_may_answer_in_the_older_shape() -> None:
    with Simulator(now=IN_SESSION, quirks=Quirks(holidays="v1")) as sim:
        new = get(sim, "/symbol/v2/holidays", code="HK").json()["data"]
        old = get(sim, "/symbol/holidays", code="HK").json()["data"]

    assert new == old
    assert "2026-01-01" in json.loads(new[1]["v"])
