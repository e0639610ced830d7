"""补拉的接口。"""

from __future__ import annotations

import json
from typing import Any

import pytest
from django_q.models import OrmQ
from rest_framework.test import APIClient

from sync.models import SyncFailure, SyncRun
from tests import people
from tests.fixtures import MakeToken

from . import rows

PATH = "/api/stock/sync/retry-failed"
WANTED = {"stock_code": "700", "market": "HK", "max_retry_count": 5}
PLANS = {"stockCode": "700", "market": "HK", "maxRetryCount": 5}


@pytest.fixture
def waiting(db: None, make_token: MakeToken) -> SyncFailure:
    """一条等待补拉的记录,和一个 Token。"""
    make_token()
    rows.stock()
    return rows.failure()


@pytest.mark.parametrize("given", [WANTED, PLANS])
@pytest.mark.parametrize("where", ["query", "json", "form"])
def test_the_values_may_come_by_either_name_in_any_place(
    waiting: SyncFailure, operator: APIClient, given: dict[str, Any], where: str
) -> None:
    if where == "query":
        answer = operator.post(PATH, query_params=given)
    elif where == "form":
        answer = operator.post(PATH, given)
    else:
        answer = operator.post(PATH, given, format="json")

    run = SyncRun.objects.get()
    assert answer.status_code == 202
    assert answer.json()["id"] == run.pk
    assert (run.codes, run.market, run.max_retry_count) == (["700"], "HK", 5)
    waiting.refresh_from_db()
    assert waiting.run_id == run.pk


def test_without_values_everything_that_waits_is_fetched_again(
    waiting: SyncFailure, operator: APIClient
) -> None:
    other = rows.failure("5", market="")

    answer = operator.post(PATH)

    assert answer.status_code == 202
    assert SyncFailure.objects.filter(run=answer.json()["id"]).count() == 2
    assert other.run_id is None


@pytest.mark.parametrize("where", ["query", "json", "form"])
def test_what_is_left_blank_is_not_given(
    waiting: SyncFailure, operator: APIClient, where: str
) -> None:
    nothing = dict.fromkeys((*WANTED, *PLANS), None if where == "json" else "")

    if where == "query":
        answer = operator.post(PATH, query_params=nothing)
    else:
        answer = operator.post(
            PATH, nothing, format="json" if where == "json" else None
        )

    assert answer.status_code == 202, answer.json()
    assert answer.json()["codes"] == []


def test_the_body_goes_before_the_query(
    waiting: SyncFailure, operator: APIClient
) -> None:
    operator.post(f"{PATH}?max_retry_count=7", {"max_retry_count": 2}, format="json")

    assert SyncRun.objects.get().max_retry_count == 2


def test_the_run_is_a_job_in_the_name_of_the_caller(
    waiting: SyncFailure,
    operator: APIClient,
    django_capture_on_commit_callbacks: Any,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = operator.post(PATH)

    assert OrmQ.objects.count() == 1
    assert answer.json()["state"] == "queued"
    assert answer.json()["kind"] == "retry"
    assert answer.json()["requested_by"] == people.OPERATOR


@pytest.mark.parametrize("name", ["max_retry_count", "maxRetryCount"])
@pytest.mark.parametrize("value", [0, -1, "abc", 101, [1], "5", True, 1.5, ""])
def test_a_bad_number_of_attempts_is_refused(
    waiting: SyncFailure, operator: APIClient, name: str, value: object
) -> None:
    answer = operator.post(PATH, {name: value}, format="json")

    assert answer.status_code == 400
    assert list(answer.json()) == ["max_retry_count"]
    assert not SyncRun.objects.exists()


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"market": "XX"}, "market"),
        ({"stock_code": "7" * 21}, "stock_code"),
        ({"stock_code": 700}, "stock_code"),
        ({"stockCode": 700}, "stock_code"),
        ({"stock_code": "\ud800"}, "stock_code"),
        ([1], "non_field_errors"),
    ],
)
def test_other_bad_values_are_refused_by_name(
    waiting: SyncFailure, operator: APIClient, given: object, name: str
) -> None:
    text = json.dumps(given)  # the test client cannot write half a character

    answer = operator.post(PATH, text, content_type="application/json")

    assert answer.status_code == 400
    assert list(answer.json()) == [name]


def test_a_body_that_is_no_json_is_refused(
    waiting: SyncFailure, operator: APIClient
) -> None:
    answer = operator.post(PATH, "{", content_type="application/json")
    other = operator.post(PATH, "<a/>", content_type="text/xml")

    assert answer.status_code == 400
    assert "JSON" in answer.json()["detail"]
    assert other.status_code == 415


def test_a_form_with_too_many_fields_is_refused(
    waiting: SyncFailure, operator: APIClient
) -> None:
    answer = operator.post(PATH, {f"field{number}": "1" for number in range(1001)})
    simple = operator.post(
        PATH, "a=1&" * 1001, content_type="application/x-www-form-urlencoded"
    )

    assert (answer.status_code, simple.status_code) == (400, 400)
    assert answer.json() == simple.json() == {"detail": "Malformed request."}


def test_a_second_retry_of_the_same_failures_is_a_conflict(
    waiting: SyncFailure, operator: APIClient
) -> None:
    operator.post(PATH)

    answer = operator.post(PATH)

    assert answer.status_code == 409
    assert "A retry of these failures is running" in answer.json()["detail"]
    assert SyncRun.objects.count() == 1


def test_without_a_token_it_says_so(db: None, operator: APIClient) -> None:
    answer = operator.post(PATH)

    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("没有可用的 Token: There is no token")


def test_it_answers_nobody_who_only_looks(
    waiting: SyncFailure, operator: APIClient
) -> None:
    assert operator.get(PATH).status_code == 405
    assert not SyncRun.objects.exists()


@pytest.mark.parametrize("where", ["query", "json", "form"])
def test_an_unknown_name_is_refused_and_nothing_is_retried(
    waiting: SyncFailure, operator: APIClient, where: str
) -> None:
    given = {"stock": "700"}
    if where == "query":
        answer = operator.post(PATH, query_params=given)
    else:
        answer = operator.post(PATH, given, format="json" if where == "json" else None)

    assert (answer.status_code, list(answer.json())) == (400, ["stock"])
    assert not SyncRun.objects.exists()
