"""谁可以调用什么:每个接口,每种人。"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient
from rest_framework.views import APIView

from sync.api.permissions import Nobody
from sync.models import SyncRun
from tests import people
from tests.fixtures import MakeToken

from . import rows

# Who may do what is the same, however it is stored.
pytestmark = pytest.mark.runs_on("sqlite")
Row = tuple[str, str, int, tuple[str, ...]]

OPERATORS = (people.OPERATOR, people.SUPERUSER, people.OPERATOR_KEY)
READERS = (*OPERATORS, people.VIEWER, people.KEEPER, people.VIEWER_KEY)
READERS_OF_DOCS = (*people.SESSIONS, *people.KEYS)
WATCHERS = (*people.SESSIONS, people.VIEWER_KEY, people.OPERATOR_KEY)

RUN = "api/stock/sync/runs/<int:pk>"
# Call, what it answers to those who may, and who they are.
MATRIX: list[Row] = [
    ("GET", "api/stock/sync/failure/list", 200, READERS),
    ("POST", "api/stock/sync/retry-failed", 202, OPERATORS),
    ("GET", "api/stock/sync/runs", 200, READERS),
    ("POST", "api/stock/sync/runs", 202, OPERATORS),
    ("POST", "api/stock/sync/runs/forecast", 200, OPERATORS),
    ("GET", RUN, 200, READERS),
    ("POST", f"{RUN}/cancel", 202, OPERATORS),
    ("GET", "api/stock/stocks", 200, READERS),
    ("GET", "api/stock/klines", 200, READERS),
    ("GET", "api/stock/klines.csv", 200, READERS),
    ("GET", "api/stock/completeness", 200, READERS),
    ("GET", "api/stock/splits", 200, READERS),
    ("GET", "api/schema", 200, READERS_OF_DOCS),
    ("GET", "api/docs", 200, READERS_OF_DOCS),
    ("GET", "metrics", 200, WATCHERS),
    ("GET", "healthz", 200, people.EVERYBODY),
]
QUERIES = dict.fromkeys(
    ("api/stock/klines", "api/stock/klines.csv"), "?market=HK&stock_code=700"
)
WANTED = {"start": "2024-03-04", "market": "HK"}
BODIES = {"api/stock/sync/runs": WANTED, "api/stock/sync/runs/forecast": WANTED}


def called(
    client: APIClient, method: str, route: str, *, run: SyncRun, slash: str = ""
) -> HttpResponse:
    path = route.replace("<int:pk>", str(run.pk)) + slash + QUERIES.get(route, "")
    if method == "GET":
        answer = client.get(f"/{path}")
        if answer.streaming:
            list(answer)  # it holds one of few places until it is read
        return answer
    return client.post(f"/{path}", BODIES.get(route, {}), format="json")


def patterns(resolver: URLResolver, *, above: str = "") -> Iterator[tuple[str, type]]:
    """每个接口的地址和它的类。"""
    for pattern in resolver.url_patterns:
        route = above + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern, above=route)
        elif isinstance(pattern, URLPattern):
            view = getattr(pattern.callback, "cls", type(None))
            if issubclass(view, APIView) or route.startswith(("api/s", "health")):
                yield route, view


def expected(kind: str, *, good: int, allowed: tuple[str, ...]) -> int:
    if kind in allowed:
        return good
    return 401 if kind in people.STRANGERS else 403


@pytest.fixture
def world(db: None, make_token: MakeToken) -> SyncRun:
    """要调用的东西都在。"""
    make_token()
    rows.stock()
    rows.failure()
    run = rows.run(start_date="2024-01-01", request_key="another")
    rows.shard(run)
    return run


@pytest.mark.parametrize("kind", people.EVERYBODY)
@pytest.mark.parametrize("row", MATRIX, ids=lambda row: f"{row[0]} {row[1]}")
def test_everybody_gets_what_they_may_and_nothing_else(
    world: SyncRun, kind: str, row: Row
) -> None:
    method, route, good, allowed = row
    client = people.caller(kind)

    answer = called(client, method, route, run=world)

    assert answer.status_code == expected(kind, good=good, allowed=allowed)
    if answer.status_code == 401:
        assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("row", MATRIX, ids=lambda row: f"{row[0]} {row[1]}")
def test_a_final_slash_makes_no_difference(world: SyncRun, row: Row) -> None:
    method, route, good, _allowed = row
    client = people.caller(people.SUPERUSER)

    answer = called(client, method, route, run=world, slash="/")

    assert answer.status_code == good


def test_every_view_names_its_permission_and_has_its_rows() -> None:
    found = dict(patterns(get_resolver()))

    unnamed = {
        route
        for route, view in found.items()
        if issubclass(view, APIView)
        and (
            "permission_classes" not in vars(view)
            or not view.permission_classes
            or Nobody in view.permission_classes
        )
    }

    assert unnamed == set()
    listed = {route for _method, route, _good, _allowed in MATRIX}
    assert {route.removesuffix("/") for route in found} == listed
    assert {route for route in found if route.endswith("/")} == {
        f"{route}/" for route in listed
    }
    methods = {
        (method, route.removesuffix("/"))
        for route, view in found.items()
        if issubclass(view, APIView)
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if hasattr(view, method.lower())
    }
    assert methods | {("GET", "healthz")} == {row[:2] for row in MATRIX}


@pytest.mark.django_db
def test_a_view_that_names_no_permission_is_shut() -> None:
    assert APIView.permission_classes == [Nobody]
    assert not Nobody().has_permission(None, None)  # type: ignore[arg-type]


def test_a_session_needs_the_csrf_token(world: SyncRun) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(people.person(people.OPERATOR))

    answer = client.post(f"/api/stock/sync/runs/{world.pk}/cancel")

    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]


def test_an_access_key_needs_none(world: SyncRun) -> None:
    client = APIClient(enforce_csrf_checks=True)
    key = people.drawn(people.person(people.OPERATOR)).plain

    answer = client.post(
        f"/api/stock/sync/runs/{world.pk}/cancel", HTTP_AUTHORIZATION=f"Bearer {key}"
    )

    assert answer.status_code == 202


def test_an_address_that_does_not_exist_is_not_found_in_json() -> None:
    for path in (
        "/api/nothing",
        "/api/stock/sync/runs/x",
        "/api/stock/sync/runs/-1/",
        "/api/stock/sync/runs/%0A/cancel",
    ):
        answer = APIClient().get(path)

        assert answer.status_code == 404
        assert answer.json() == {"detail": "Not found."}
