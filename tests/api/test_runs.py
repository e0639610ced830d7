"""运行的接口。"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from sync.api.fields import CODE
from sync.models import SyncRun
from tests import people
from tests.fixtures import MakeToken

from . import rows

PATH = "/api/stock/sync/runs"
START = {"start": "2024-03-04"}


@pytest.fixture
def token(db: None, make_token: MakeToken) -> None:
    """有一个能用的 Token。"""
    make_token()


def found(client: APIClient, **query: Any) -> list[int]:
    return [row["id"] for row in client.get(PATH, query).json()["results"]]


# --- list and detail ---


def test_runs_are_listed_newest_first_without_their_codes(viewer: APIClient) -> None:
    first, second = rows.run(), rows.run(codes=["700"])

    page = viewer.get(PATH).json()

    assert page["count"] == 2
    assert [row["id"] for row in page["results"]] == [second.pk, first.pk]
    assert "codes" not in page["results"][0]


@pytest.mark.parametrize(
    ("columns", "query"),
    [
        ({"state": "failed"}, {"state": "failed"}),
        ({"kind": "retry"}, {"kind": "retry"}),
        ({"market": "US,SZ"}, {"market": "SZ"}),
        ({"market": ""}, {"market": "SZ"}),
    ],
)
def test_a_filter_leaves_the_runs_it_names(
    viewer: APIClient, columns: dict[str, Any], query: dict[str, str]
) -> None:
    rows.run(market="HK")
    wanted = rows.run(**{"market": "HK", **columns})

    assert found(viewer, **query) == [wanted.pk]


@pytest.mark.parametrize(
    ("name", "value"),
    [("state", "done"), ("kind", "x"), ("market", "XX"), ("size", "0")],
)
def test_a_bad_filter_is_refused_by_its_name(
    viewer: APIClient, name: str, value: str
) -> None:
    answer = viewer.get(PATH, {name: value})

    assert answer.status_code == 400
    assert list(answer.json()) == [name]


def test_a_run_tells_its_numbers_and_its_shards(viewer: APIClient) -> None:
    run = rows.run(
        state="partial",
        codes=["700"],
        stocks=3,
        succeeded=2,
        failed=1,
        reasons={"timeout": 1},
        tokens_per_thread=[6, 6],
        started_at=rows.AT,
        finished_at=rows.AT + timedelta(seconds=8, milliseconds=500),
    )
    rows.shard(run, number=1, state="done")
    rows.shard(run, number=0)

    answer = viewer.get(f"{PATH}/{run.pk}").json()

    assert (answer["stocks"], answer["succeeded"], answer["failed"]) == (3, 2, 1)
    assert answer["seconds"] == 8.5
    assert answer["reasons"] == {"timeout": 1}
    assert answer["tokens_per_thread"] == [6, 6]
    assert answer["codes"] == ["700"]
    shards = {shard["number"]: shard["state"] for shard in answer["shards"]}
    assert shards == {0: "queued", 1: "done"}


def test_a_run_that_is_not_there_is_not_found(operator: APIClient) -> None:
    for number in (1, 10**30):
        seen = operator.get(f"{PATH}/{number}")
        cancelled = operator.post(f"{PATH}/{number}/cancel")
        assert (seen.status_code, cancelled.status_code) == (404, 404)
        said = {"detail": f"There is no run {number}."}
        assert (seen.json(), cancelled.json()) == (said, said)


def test_the_queries_do_not_grow_with_the_rows(
    viewer: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(10):
        run = rows.run()
    for number in range(10):
        rows.shard(run, number=number)

    # Session, user, two for permissions; count, ids, rows.
    with django_assert_num_queries(7):
        viewer.get(PATH)
    # … run, shards.
    with django_assert_num_queries(6):
        viewer.get(f"{PATH}/{run.pk}")


# --- start ---


@pytest.mark.parametrize(
    ("given", "market", "codes"),
    [
        ({}, "", []),
        ({"market": "HK"}, "HK", []),
        ({"markets": ["HK", "US"]}, "HK,US", []),
        ({"markets": ["HK"], "market": "US"}, "HK,US", []),
        ({"market": "HK", "codes": ["700", "5"]}, "HK", ["700", "5"]),
        ({"market": "HK", "stock_code": "5"}, "HK", ["5"]),
    ],
)
def test_a_run_is_registered_as_asked_for(
    token: None,
    operator: APIClient,
    given: dict[str, Any],
    market: str,
    codes: list[str],
) -> None:
    rows.stock("700")
    rows.stock("5")
    more = {"end": "2024-03-08", "period": "week", "force": True}

    answer = operator.post(PATH, START | more | given, format="json")

    assert answer.status_code == 202, answer.json()
    run = SyncRun.objects.get(pk=answer.json()["id"])
    assert (run.market, run.codes) == (market, codes)
    assert (run.start_date, run.end_date) == (date(2024, 3, 4), date(2024, 3, 8))
    assert (run.period, run.force) == ("week", True)
    assert run.requested_by == people.OPERATOR
    assert answer.json()["state"] == "queued"


def test_a_run_is_asked_for_in_json_alone(token: None, operator: APIClient) -> None:
    answer = operator.post(PATH, START, format="multipart")

    assert answer.status_code == 415
    assert not SyncRun.objects.exists()


def test_what_is_null_is_not_given(token: None, operator: APIClient) -> None:
    names = ("markets", "market", "codes", "stock_code", "period", "end", "force")

    answer = operator.post(PATH, START | dict.fromkeys(names), format="json")

    assert answer.status_code == 202, answer.json()
    assert (answer.json()["market"], answer.json()["codes"]) == ("", [])
    assert (answer.json()["period"], answer.json()["force"]) == ("day", False)


@pytest.mark.parametrize("path", [PATH, f"{PATH}/forecast"])
def test_a_value_in_the_address_is_refused_and_not_passed_over(
    token: None, operator: APIClient, path: str
) -> None:
    answer = operator.post(f"{path}?market=HK", START, format="json")

    assert (answer.status_code, list(answer.json())) == (400, ["market"])
    assert not SyncRun.objects.exists()


def test_without_an_end_it_is_up_to_today(token: None, operator: APIClient) -> None:
    operator.post(PATH, START, format="json")

    end = SyncRun.objects.get().end_date
    assert end is not None
    assert abs(end - timezone.now().date()) <= timedelta(days=1)


def test_the_run_is_left_to_the_cluster(
    token: None, operator: APIClient, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        operator.post(PATH, START, format="json")

    assert OrmQ.objects.count() == 1


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"start": None}, "start"),
        ({"start": "yesterday"}, "start"),
        ({"start": "0001-01-01"}, "start"),
        ({"start": "2024-03-09", "end": "2024-03-08"}, "start"),
        ({"end": "2199-01-01"}, "end"),
        ({"end": "9999-12-31"}, "end"),
        ({"market": "XX"}, "market"),
        ({"markets": ["XX"]}, "markets"),
        ({"markets": "HK"}, "markets"),
        ({"period": "daily"}, "period"),
        ({"codes": ["999"]}, "codes"),
        ({"codes": "700"}, "codes"),
        ({"codes": ["700"] * 1001}, "codes"),
        ({"stock_code": "7" * 21}, "stock_code"),
        ({"stock_code": "000001"}, "codes"),
        *(({"force": value}, "force") for value in ("maybe", "true", 1)),
        *(({"stock_code": value}, "stock_code") for value in (700, True, "")),
        ({"codes": [700]}, "codes"),
        ({"start": 20240304}, "start"),
        ({"start": "2024-3-4"}, "start"),
        ({"start": "20240304"}, "start"),
        ({"stocks": ["6E5"]}, "stocks"),
        ({"stocks": None}, "stocks"),
        ({"Codes": ["700"]}, "Codes"),
        ({"stockCode": 700, "stock_code": "700"}, "stock_code"),
        ({"maxRetryCount": 3}, "maxRetryCount"),  # of another call
        *(({"stock_code": code}, "stock_code") for code in ("6E5", "#N/A", "1,000")),
    ],
)
def test_a_bad_value_is_refused_by_name(
    token: None, operator: APIClient, given: dict[str, Any], name: str
) -> None:
    for market in ("SH", "SZ"):
        rows.stock("000001", market=market)

    answer = operator.post(PATH, START | given, format="json")

    assert answer.status_code == 400
    assert list(answer.json()) == [name]
    assert not SyncRun.objects.exists()


PLAIN = [
    *('="000001"', "'000001", "\uff10\uff10\uff10\uff10\uff10\uff11", "\u200b000001"),
    *("000001\ufeff", " 000001 ", "000001.0", "SZ000001", "000001.SZ", '="\'000001"'),
]


@pytest.mark.parametrize("written", PLAIN)
@pytest.mark.parametrize("name", ["stock_code", "stockCode", "codes"])
def test_a_code_is_read_however_it_is_written(
    token: None, operator: APIClient, written: str, name: str
) -> None:
    rows.stock("000001", market="SZ")
    wanted = {name: [written] if name == "codes" else written, "market": "SZ"}

    answer = operator.post(PATH, START | wanted, format="json")

    assert answer.status_code == 202, answer.json()
    assert re.search(CODE, written)
    assert answer.json()["codes"] == ["000001"]


@pytest.mark.parametrize(
    "written", ["6E5", "600519.5", "#N/A", "1,000", "", "'", '=""']
)
def test_the_document_says_which_codes_are_none(written: str) -> None:
    assert not re.search(CODE, written)


@pytest.mark.parametrize("given", [[], [START], "text", 5])
def test_a_body_that_is_no_object_is_refused(
    token: None, operator: APIClient, given: object
) -> None:
    answer = operator.post(PATH, given, format="json")

    assert answer.status_code == 400


def test_the_same_request_twice_is_a_conflict(token: None, operator: APIClient) -> None:
    operator.post(PATH, START, format="json")

    answer = operator.post(PATH, START, format="json")

    assert answer.status_code == 409
    assert "already running" in answer.json()["detail"]


def test_no_token_is_a_conflict_that_says_so(operator: APIClient) -> None:
    answer = operator.post(PATH, START, format="json")

    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("没有可用的 Token")


# --- cancel ---


def test_a_run_that_waits_for_its_turn_ends_at_once(operator: APIClient) -> None:
    run = rows.run(request_key="key")
    rows.shard(run)

    answer = operator.post(f"{PATH}/{run.pk}/cancel")

    assert answer.status_code == 202
    assert answer.json()["state"] == "cancelled"


def test_a_run_at_work_is_asked_to_stop(operator: APIClient) -> None:
    run = rows.run(state="running", request_key="key")
    rows.shard(run, state="running")

    answer = operator.post(f"{PATH}/{run.pk}/cancel")

    assert answer.status_code == 202
    assert answer.json()["state"] == "running"
    assert answer.json()["cancel_requested_at"] is not None


def test_a_run_that_has_ended_is_a_conflict(operator: APIClient) -> None:
    run = rows.run(state="succeeded")

    answer = operator.post(f"{PATH}/{run.pk}/cancel")

    assert answer.status_code == 409
    assert "has ended already" in answer.json()["detail"]
