"""失败记录的列表。"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from sync.api import paging
from sync.models import SyncFailure

from . import rows

PATH = "/api/stock/sync/failure/list"
HOUR = timedelta(hours=1)


def ids(client: APIClient, **query: Any) -> list[int]:
    answer = client.get(PATH, query)
    assert answer.status_code == 200, answer.json()
    return [row["id"] for row in answer.json()["results"]]


def test_newest_first_and_of_the_same_moment_the_last_one(viewer: APIClient) -> None:
    old = rows.failure("1", create_time=rows.AT - HOUR)
    new = rows.failure("2")
    same = rows.failure("3")

    assert ids(viewer) == [same.pk, new.pk, old.pk]


def test_a_row_has_the_columns_of_the_table_that_tell_something(
    viewer: APIClient,
) -> None:
    run = rows.run()
    failure = rows.failure(run=run, retry_count=2, last_retry_time=rows.AT)

    row = viewer.get(PATH).json()["results"][0]

    columns = {field.name for field in SyncFailure._meta.fields}
    assert set(row) == columns - {"recorded_run_id", "recorded_reason"}
    assert row == {
        "id": failure.pk,
        "market": "HK",
        "stock_code": "700",
        "period": "day",
        "start_date": "2024-03-04",
        "end_date": "2024-03-08",
        "failure_reason": "no answer in time",
        "reason_class": "timeout",
        "retry_count": 2,
        "status": 0,
        "last_retry_time": "2024-03-12T08:00:00Z",
        "create_time": "2024-03-12T08:00:00Z",
        "update_time": "2024-03-12T08:00:00Z",
        "run": run.pk,
        "decided_by": "",
    }


def test_a_row_of_another_program_may_hold_nothing(viewer: APIClient) -> None:
    rows.failure(retry_count=None, status=None, create_time=None, failure_reason=None)

    row = viewer.get(PATH).json()["results"][0]

    assert (row["retry_count"], row["status"], row["run"]) == (None, None, None)


@pytest.mark.parametrize(
    ("columns", "query"),
    [
        ({"stock_code": "5"}, {"stock_code": "5"}),
        ({"stock_code": "5"}, {"stockCode": "5"}),
        ({"market": "SZ"}, {"market": "SZ"}),
        ({"status": 2}, {"status": "2"}),
        ({"reason_class": "hole"}, {"reason_class": "hole"}),
        ({"period": "week"}, {"period": "week"}),
        ({"run_id": 77}, {"run": "77"}),
        ({"stock_code": "5", "status": 1}, {"stockCode": "5", "status": "1"}),
    ],
)
def test_a_filter_leaves_what_it_names(
    viewer: APIClient, columns: dict[str, Any], query: dict[str, str]
) -> None:
    rows.failure()
    wanted = rows.failure(**{"code": "700", **_renamed(columns)})

    assert ids(viewer, **query) == [wanted.pk]


def _renamed(columns: dict[str, Any]) -> dict[str, Any]:
    return {"code" if name == "stock_code" else name: columns[name] for name in columns}


@pytest.mark.parametrize("text", ["00700", "0700.HK", "700"])
def test_a_stock_is_found_however_its_code_is_written(
    viewer: APIClient, text: str
) -> None:
    rows.failure("5")
    wanted = rows.failure("700")

    assert ids(viewer, stock_code=text) == [wanted.pk]
    assert ids(viewer, stock_code=text, market="HK") == [wanted.pk]
    assert ids(viewer, stock_code=text, market="US") == []


@pytest.mark.parametrize("text", ["6.00519E+05", "#N/A", "1,234", "600519.5"])
def test_a_code_that_is_none_is_a_bad_value(viewer: APIClient, text: str) -> None:
    answer = viewer.get(PATH, {"stock_code": text})

    assert (answer.status_code, list(answer.json())) == (400, ["stock_code"])


def test_a_blank_filter_is_none(viewer: APIClient) -> None:
    failure = rows.failure()

    assert ids(viewer, stock_code="", market="", status="", page="") == [failure.pk]


def test_our_name_goes_before_the_plans(viewer: APIClient) -> None:
    rows.failure("1")
    wanted = rows.failure("2")

    assert ids(viewer, stockCode="1", stock_code="2") == [wanted.pk]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("size", value) for value in ("0", "-1", "abc", "201", "100000", "1.5")),
        *(("size", value) for value in ("1_0", "+5", " 5", "٣")),
        *(("page", value) for value in ("0", "-1", "abc", "1.0")),
        *(("status", value) for value in ("3", "-1", "abc")),
        ("market", "XX"),
        ("market", "hk"),
        ("period", "daily"),
        ("run", "abc"),
        ("run", "9" * 30),
        ("stock_code", "7" * 21),
        ("stock_code", "7\x00"),
        *(("stock_code", value) for value in (" ", "'", "\u200b")),
        *(("reason_class", value) for value in ("x" * 21, "Timeout", " ")),
        *(("stock_code", ["1", "2"]), ("status", ["0", "0"]), ("page", ["", "1"])),
    ],
)
def test_a_bad_value_is_refused_by_its_name(
    viewer: APIClient, name: str, value: str | list[str]
) -> None:
    answer = viewer.get(PATH, {name: value})

    assert answer.status_code == 400
    assert list(answer.json()) == [name]


def test_the_plans_name_twice_is_refused_by_ours(viewer: APIClient) -> None:
    answer = viewer.get(PATH, {"stockCode": ["1", "2"]})

    assert answer.status_code == 400
    assert answer.json() == {"stock_code": ["Give one value."]}


@pytest.mark.parametrize("page", ["2", "9" * 30])
def test_a_page_beyond_the_last_is_not_found(viewer: APIClient, page: str) -> None:
    answer = viewer.get(PATH, {"page": page})

    assert answer.status_code == 404
    assert answer.json() == {"detail": "There is no such page: the last is 1."}


def test_pages_follow_each_other_and_keep_the_filters(viewer: APIClient) -> None:
    failures = [rows.failure("1") for _ in range(5)]
    rows.failure("2")

    first = viewer.get(PATH, {"stock_code": "1", "size": "2"}).json()
    second = viewer.get(first["next"]).json()
    third = viewer.get(second["next"]).json()

    assert first["count"] == second["count"] == third["count"] == 5
    assert (first["previous"], third["next"]) == (None, None)
    pages = [[row["id"] for row in page["results"]] for page in (first, second, third)]
    newest = [failure.pk for failure in reversed(failures)]
    assert pages == [newest[:2], newest[2:4], newest[4:]]
    assert viewer.get(third["previous"]).json()["results"] == second["results"]


def test_the_first_page_of_nothing_is_empty(viewer: APIClient) -> None:
    answer = viewer.get(PATH, {"page": 1})

    assert answer.json() == {"count": 0, "next": None, "previous": None, "results": []}


def test_a_page_is_twenty_unless_asked_for_otherwise(viewer: APIClient) -> None:
    SyncFailure.objects.bulk_create(
        SyncFailure(stock_code="1", start_date="2024-01-01", end_date="2024-01-01")
        for _ in range(201)
    )

    assert len(ids(viewer)) == 20
    assert len(ids(viewer, size=200)) == 200


def test_a_page_costs_the_same_however_many_rows_it_has(
    viewer: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(30):
        rows.failure(run=rows.run())

    # Session, user, two for permissions; count, ids, rows.
    with django_assert_num_queries(7):
        viewer.get(PATH, {"size": "30", "market": "HK"})


def test_a_large_count_is_remembered_and_a_small_one_is_not(
    db: None,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    monkeypatch.setattr(paging, "MANY", 1)
    rows.failure("1")
    few = SyncFailure.objects.filter(stock_code="1")

    for _ in range(2):
        with django_assert_num_queries(1):
            assert paging.counted(few) == 1
    rows.failure("1")
    assert paging.counted(few) == 2
    with django_assert_num_queries(0):
        assert paging.counted(few) == 2
    assert paging.counted(SyncFailure.objects.filter(stock_code="2")) == 0
    cache.clear()
    with django_assert_num_queries(1):
        paging.counted(few)


def test_nothing_but_json_is_spoken(viewer: APIClient) -> None:
    assert viewer.get(PATH)["Content-Type"] == "application/json"
    assert viewer.get(PATH, HTTP_ACCEPT="text/html").status_code == 406
