"""预演的接口。"""

from __future__ import annotations

from rest_framework.test import APIClient

from sync.models import SyncRun
from tests.fixtures import MakeToken
from tests.rows import stock

PATH = "/api/stock/sync/runs/forecast"


def test_tells_the_calls_of_each_day_and_starts_nothing(
    operator: APIClient, make_token: MakeToken
) -> None:
    make_token(daily_limit=2, minute_limit=0)
    for code in "123":
        stock(code)

    answer = operator.post(
        PATH, {"start": "2024-03-04", "end": "2024-03-08"}, format="json"
    )

    told = answer.json()
    assert answer.status_code == 200
    assert (told["stocks"], told["calls_needed"], told["calls_left_today"]) == (3, 3, 2)
    assert [day["calls"] for day in told["days"]] == [2, 1]
    assert told["fetched"] == [
        {
            "why": "new",
            "window": {"start": "2024-03-04", "end": "2024-03-08"},
            "windows": 3,
        }
    ]
    assert not SyncRun.objects.exists()


def test_a_bad_value_is_refused_by_its_name(
    operator: APIClient, make_token: MakeToken
) -> None:
    make_token()

    answer = operator.post(PATH, {"start": "2999-01-01"}, format="json")

    assert answer.status_code == 400
