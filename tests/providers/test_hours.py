"""休市日的两种形状,市场的状态。"""

from __future__ import annotations

import json
from datetime import date, time
from typing import Any

import pytest

from sync.engine.errors import BadAnswer
from sync.providers.hours import Holiday, MarketStatus, read_holidays, read_status

USUAL = "09:00-09:30,09:30-12:00|13:00-16:00,16:00-16:30"
SHORT = "09:00-09:30,09:30-12:00,12:00-12:30"
TODAY = date(2026, 3, 10)


def row(day: str, hours: str = USUAL) -> dict[str, Any]:
    return {"c": "HK", "d": day, "t": hours, "z": "Asia/Hong_Kong", "v": "Holiday"}


def test_the_usual_hours_make_no_half_day_of_a_closed_day() -> None:
    rows = [row("2026-02-18"), row("2026-02-17"), row("2026-12-24", SHORT)]

    holidays = read_holidays(rows)

    assert [(one.day.day, one.close) for one in holidays] == [
        (17, None),
        (18, None),
        (24, time(12)),
    ]


@pytest.mark.parametrize(
    "rows",
    [
        [row("2026-12-24", SHORT)],
        [row("2026-12-24", SHORT), row("2026-12-25", "")],
        [row("2026-12-24", "09:30-15:30"), row("2026-12-25"), row("2026-12-28")],
        [row("2026-12-24", "closed"), row("2026-12-25"), row("2026-12-28")],
    ],
)
def test_hours_that_prove_nothing_leave_the_day_closed(
    rows: list[dict[str, Any]],
) -> None:
    assert all(one.close is None for one in read_holidays(rows))


def test_reads_the_older_shape_too() -> None:
    days = ["2026-01-01", "2026-02-17"]
    old = {"c": "HK", "r": "Hong Kong", "et": USUAL, "z": "x"}
    rows: list[dict[str, Any]] = [
        old | {"ey": "2026", "v": json.dumps(days)},
        old | {"ey": 2025, "v": ["2025-01-01"]},
    ]

    assert read_holidays(rows) == [
        Holiday(date(2025, 1, 1), "", USUAL),
        Holiday(date(2026, 1, 1), "", USUAL),
        Holiday(date(2026, 2, 17), "", USUAL),
    ]


@pytest.mark.parametrize("dates", ["soon", '"2026-01-01"', '["soon"]', None, "[1]"])
def test_a_year_without_dates_is_a_bad_answer(dates: Any) -> None:
    with pytest.raises(BadAnswer):
        read_holidays([{"c": "HK", "ey": "2026", "v": dates}])


@pytest.mark.parametrize(
    ("state", "session", "half_day"),
    [
        ("OPEN", True, False),
        ("LUNCH_BREAK", True, False),
        ("HOLIDAY_HALF_DAY", True, True),
        ("CLOSED_HOLIDAY", False, False),
        ("CLOSED_WEEKEND", None, False),
        ("CLOSED", None, False),
        ("something new", None, False),
    ],
)
def test_a_status_tells_of_its_day(
    state: str, session: bool | None, half_day: bool
) -> None:
    row = {"c": "hk", "s": state, "t": USUAL, "l": "2026-03-11 01:00:00"}

    status = read_status(row, today=TODAY)

    assert status == MarketStatus(date(2026, 3, 11), session, half_day)


def test_a_status_without_a_date_is_todays_and_one_that_is_none_is_bad() -> None:
    assert read_status([{"s": "open"}], today=TODAY) == MarketStatus(TODAY, True)
    with pytest.raises(BadAnswer):
        read_status(None, today=TODAY)
