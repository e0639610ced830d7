"""完整程度的接口。"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from sync.models import MarketDay

PATH = "/api/stock/completeness"
AT = datetime(2026, 3, 10, 8, tzinfo=UTC)


@pytest.fixture(autouse=True)
def days(db: None) -> None:
    for market, period, day in (
        *(("US", "day", 5), ("HK", "day", 6), ("HK", "day", 5), ("HK", "15m", 5)),
    ):
        MarketDay.objects.create(
            market=market,
            period=period,
            day=date(2026, 3, day),
            expected=10,
            present=7,
            suspended=1,
            missing=2,
            waiting=1,
            audited_at=AT,
        )


def listed(client: APIClient, **query: Any) -> list[tuple[str, str]]:
    answer = client.get(PATH, query)
    assert answer.status_code == 200, answer.json()
    return [(row["market"], row["day"]) for row in answer.json()["results"]]


def test_a_row_has_its_numbers(viewer: APIClient) -> None:
    answer = viewer.get(PATH, {"market": "US"}).json()

    assert (answer["count"], answer["next"]) == (1, None)
    assert answer["results"] == [
        {
            "market": "US",
            "period": "day",
            "day": "2026-03-05",
            "expected": 10,
            "present": 7,
            "suspended": 1,
            "missing": 2,
            "waiting": 1,
            "audited_at": "2026-03-10T08:00:00Z",
        }
    ]


def test_rows_go_by_market_and_day(viewer: APIClient) -> None:
    five, six = "2026-03-05", "2026-03-06"

    assert listed(viewer) == [("HK", five), ("HK", six), ("US", five)]
    assert listed(viewer, size=1, page=3) == [("US", five)]
    assert listed(viewer, start=six) == [("HK", six)]
    assert listed(viewer, end=five, market="HK") == [("HK", five)]
    assert listed(viewer, period="15m") == [("HK", five)]


def test_a_day_that_was_written_to_since_is_not_audited(viewer: APIClient) -> None:
    later = AT + timedelta(seconds=1)
    MarketDay.objects.touch("US", "day", [date(2026, 3, 5)], at=later)

    (row,) = viewer.get(PATH, {"market": "US"}).json()["results"]

    assert row["audited_at"] is None


@pytest.mark.parametrize(
    "query",
    [
        {"market": "XX"},
        {"period": "2m"},
        {"start": "2026-03-06", "end": "2026-03-05"},
        {"start": "yesterday"},
        {"size": 5001},
    ],
)
def test_a_bad_value_is_said(viewer: APIClient, query: dict[str, Any]) -> None:
    assert viewer.get(PATH, query).status_code == 400
