"""每个接口的回答都一样的地方:不认识的名字,缓存,读不出来的内容。"""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from tests import people

from . import rows

pytestmark = pytest.mark.django_db
RUNS = "/api/stock/sync/runs"
LISTS = (
    *(RUNS, "/api/stock/sync/failure/list", "/api/stock/stocks"),
    *("/api/stock/splits", "/api/stock/completeness"),
)
KLINES = "/api/stock/klines?market=HK&stock_code=700"


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("name", ["makret", "created_at__year", "Market"])
def test_a_filter_that_does_not_exist_is_refused_by_its_name(
    viewer: APIClient, path: str, name: str
) -> None:
    answer = viewer.get(path, {name: "-1"})

    assert answer.status_code == 400
    assert answer.json() == {name: ["There is no such value."]}


def test_so_is_one_of_bars_and_of_a_run(viewer: APIClient) -> None:
    rows.stock()
    run = rows.run()

    for path in (f"{KLINES}&since=2024-01-01", f"{RUNS}/{run.pk}?since=2024-01-01"):
        answer = viewer.get(path)
        assert (answer.status_code, list(answer.json())) == (400, ["since"])


@pytest.mark.parametrize("number", ["0", "9" * 19, "9" * 300])
def test_a_run_of_any_number_is_looked_for(viewer: APIClient, number: str) -> None:
    assert viewer.get(f"{RUNS}/{number}").status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *((path, 200) for path in LISTS),
        *(("/api/schema", 200), ("/api/docs", 200), ("/metrics", 200)),
        *((KLINES, 404), (f"{RUNS}?page=0", 400), ("/api/nothing", 404)),
    ],
)
def test_no_answer_is_kept_by_anybody(
    viewer: APIClient, path: str, status: int
) -> None:
    answer = viewer.get(path, HTTP_ACCEPT="*/*")

    assert answer.status_code == status
    assert "no-store" in answer["Cache-Control"]


def test_nor_is_a_refusal() -> None:
    answer = people.caller(people.ANONYMOUS).get(RUNS)

    assert answer.status_code == 401
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("path", [RUNS, "/api/stock/sync/retry-failed"])
def test_a_body_nested_too_deeply_cannot_be_read(
    operator: APIClient, path: str
) -> None:
    answer = operator.post(path, "[" * 20_000, content_type="application/json")

    assert answer.status_code == 400
    assert "nested too deeply" in answer.json()["detail"]
