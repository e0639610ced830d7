"""谁可以打开什么、提交什么:网站的每个地址,每种人。"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from django.db import transaction
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import URLResolver, get_resolver, resolve

from tests import people
from tests.api.test_matrix import MATRIX as API

from .things import contents, things

__all__ = ["things"]

pytestmark = pytest.mark.usefixtures("empty_cache")

# anonymous, staff without permissions, Viewer, Operator, Token keeper, superuser: first
# what a GET is answered, then a POST that says what its page is for (DEEDS). "in" is
# the page for signing in, {} an existing row. The API has a table of its own, API.
TABLE = """
/                                    302 302 302 302 302 302 | 302 302 302 302 302 302
/language/                           302 302 302 302 302 302 | 302 302 302 302 302 302
/admin/                               in 200 200 200 200 200 |  in 200 200 200 200 200
/admin/login/                        200 302 302 302 302 302 | 200 200 200 200 200 200
/admin/logout/                       302 405 405 405 405 405 | 302 200 200 200 200 200
/admin/password_change/               in 200 200 200 200 200 |  in 200 200 200 200 200
/admin/password_change/done/          in 200 200 200 200 200 |  in 405 405 405 405 405
/admin/search/                        in 200 200 200 200 200 |  in 405 405 405 405 405
/admin/autocomplete/                  in 403 403 403 403 403 |  in 405 405 405 405 405
/admin/jsi18n/                        in 200 200 200 200 200 |  in 405 405 405 405 405
/admin/r/{}/{}/                       in 404 404 404 404 404 |  in 404 404 404 404 404
/admin/auth/group/                    in 403 403 403 403 200 |  in 403 403 403 403 302
/admin/auth/group/add/                in 403 403 403 403 200 |  in 403 403 403 403 200
/admin/auth/group/{}/history/         in 403 403 403 403 200 |  in 403 403 403 403 200
/admin/auth/group/{}/delete/          in 403 403 403 403 200 |  in 403 403 403 403 302
/admin/auth/group/{}/change/          in 403 403 403 403 200 |  in 403 403 403 403 200
/admin/auth/group/{}/                 in 302 302 302 302 302 |  in 302 302 302 302 302
/admin/auth/user/{}/password/         in 403 403 403 403 200 |  in 403 403 403 403 200
/admin/auth/user/                     in 403 403 403 403 200 |  in 403 403 403 403 302
/admin/auth/user/add/                 in 403 403 403 403 200 |  in 403 403 403 403 200
/admin/auth/user/{}/history/          in 403 403 403 403 200 |  in 403 403 403 403 200
/admin/auth/user/{}/delete/           in 403 403 403 403 200 |  in 403 403 403 403 302
/admin/auth/user/{}/change/           in 403 403 403 403 200 |  in 403 403 403 403 200
/admin/auth/user/{}/                  in 302 302 302 302 302 |  in 302 302 302 302 302
/admin/axes/accessattempt/            in 403 403 403 403 200 |  in 403 403 403 403 302
/admin/axes/accessattempt/add/        in 403 403 403 403 403 |  in 403 403 403 403 403
/admin/axes/accessattempt/{}/history/ in 403 403 403 403 200 |  in 403 403 403 403 200
/admin/axes/accessattempt/{}/delete/  in 403 403 403 403 200 |  in 403 403 403 403 302
/admin/axes/accessattempt/{}/change/  in 403 403 403 403 200 |  in 403 403 403 403 403
/admin/axes/accessattempt/{}/         in 302 302 302 302 302 |  in 302 302 302 302 302
/admin/sync/activity/                 in 403 200 200 200 200 |  in 403 403 403 403 403
/admin/sync/scheduledjob/             in 403 200 200 200 200 |  in 403 403 403 403 403
/admin/sync/scheduledjob/act/         in 405 405 405 405 405 |  in 403 403 302 403 302
/admin/sync/alert/                    in 403 200 200 200 200 |  in 403 403 403 403 403
/admin/sync/alert/test/               in 405 405 405 405 405 |  in 403 403 403 403 302
/admin/sync/accesskey/                in 200 200 200 200 200 |  in 302 302 302 302 302
/admin/sync/accesskey/add/            in 200 200 200 200 200 |  in 200 200 200 200 200
/admin/sync/accesskey/{}/history/     in 302 302 302 302 200 |  in 302 302 302 302 200
/admin/sync/accesskey/{}/delete/      in 403 403 403 403 200 |  in 403 403 403 403 302
/admin/sync/accesskey/{}/change/      in 302 302 302 302 200 |  in 403 403 403 403 302
/admin/sync/accesskey/{}/             in 302 302 302 302 302 |  in 302 302 302 302 302
/admin/overview/                      in 403 200 200 200 200 |  in 405 405 405 405 405
/admin/sync/marketday/do/             in 405 405 405 405 405 |  in 403 403 302 403 302
/admin/sync/marketday/audit/          in 405 405 405 405 405 |  in 403 403 302 403 302
/admin/sync/marketday/worst/          in 403 200 200 200 200 |  in 405 405 405 405 405
/admin/sync/marketday/days.csv        in 403 200 200 200 200 |  in 405 405 405 405 405
/admin/sync/marketday/                in 403 200 200 200 200 |  in 403 403 403 403 403
/admin/sync/marketday/add/            in 403 403 403 403 403 |  in 403 403 403 403 403
/admin/sync/marketday/{}/history/     in 403 200 200 200 200 |  in 403 200 200 200 200
/admin/sync/marketday/{}/delete/      in 403 403 403 403 403 |  in 403 403 403 403 403
/admin/sync/marketday/{}/change/      in 403 302 302 302 302 |  in 403 403 403 403 403
/admin/sync/marketday/{}/             in 302 302 302 302 302 |  in 302 302 302 302 302
/admin/sync/syncfailure/groups/       in 403 302 302 302 302 |  in 403 302 302 302 302
/admin/sync/syncfailure/cost/         in 403 400 400 400 400 |  in 405 405 405 405 405
/admin/sync/syncfailure/{}/note/      in 405 405 405 405 405 |  in 403 403 302 403 302
/admin/sync/syncfailure/              in 403 200 200 200 200 |  in 403 403 302 403 302
/admin/sync/syncfailure/add/          in 403 403 403 403 403 |  in 403 403 403 403 403
/admin/sync/syncfailure/{}/history/   in 403 200 200 200 200 |  in 403 200 200 200 200
/admin/sync/syncfailure/{}/delete/    in 403 403 403 403 403 |  in 403 403 403 403 403
/admin/sync/syncfailure/{}/change/    in 403 200 200 200 200 |  in 403 403 403 403 403
/admin/sync/syncfailure/{}/           in 302 302 302 302 302 |  in 302 302 302 302 302
/admin/django_q/success/              in 403 403 403 403 200 |  in 403 403 403 403 302
/admin/django_q/success/add/          in 403 403 403 403 403 |  in 403 403 403 403 403
/admin/django_q/success/{}/history/   in 403 403 403 403 200 |  in 403 403 403 403 200
/admin/django_q/success/{}/delete/    in 403 403 403 403 200 |  in 403 403 403 403 302
/admin/django_q/success/{}/change/    in 403 403 403 403 200 |  in 403 403 403 403 302
/admin/django_q/success/{}/           in 302 302 302 302 302 |  in 302 302 302 302 302
/admin/django_q/failure/              in 403 403 403 403 200 |  in 403 403 403 403 302
/admin/django_q/failure/add/          in 403 403 403 403 403 |  in 403 403 403 403 403
/admin/django_q/failure/{}/history/   in 403 403 403 403 200 |  in 403 403 403 403 200
/admin/django_q/failure/{}/delete/    in 403 403 403 403 200 |  in 403 403 403 403 302
/admin/django_q/failure/{}/change/    in 403 403 403 403 200 |  in 403 403 403 403 302
/admin/django_q/failure/{}/           in 302 302 302 302 302 |  in 302 302 302 302 302
/admin/django_q/ormq/                 in 403 403 403 403 200 |  in 403 403 403 403 302
/admin/django_q/ormq/add/             in 403 403 403 403 403 |  in 403 403 403 403 403
/admin/django_q/ormq/{}/history/      in 403 403 403 403 200 |  in 403 403 403 403 200
/admin/django_q/ormq/{}/delete/       in 403 403 403 403 200 |  in 403 403 403 403 302
/admin/django_q/ormq/{}/change/       in 403 403 403 403 200 |  in 403 403 403 403 200
/admin/django_q/ormq/{}/              in 302 302 302 302 302 |  in 302 302 302 302 302
/admin/django_q/schedule/             in 403 403 403 403 200 |  in 403 403 403 403 302
/admin/django_q/schedule/add/         in 403 403 403 403 200 |  in 403 403 403 403 200
/admin/django_q/schedule/{}/history/  in 403 403 403 403 200 |  in 403 403 403 403 200
/admin/django_q/schedule/{}/delete/   in 403 403 403 403 200 |  in 403 403 403 403 302
/admin/django_q/schedule/{}/change/   in 403 403 403 403 200 |  in 403 403 403 403 200
/admin/django_q/schedule/{}/          in 302 302 302 302 302 |  in 302 302 302 302 302
/admin/sync/rejectedbar/              in 403 200 200 200 200 |  in 403 403 403 403 403
/admin/sync/rejectedbar/add/          in 403 403 403 403 403 |  in 403 403 403 403 403
/admin/sync/rejectedbar/{}/history/   in 403 200 200 200 200 |  in 403 200 200 200 200
/admin/sync/rejectedbar/{}/delete/    in 403 403 403 403 403 |  in 403 403 403 403 403
/admin/sync/rejectedbar/{}/change/    in 403 200 200 200 200 |  in 403 403 403 403 403
/admin/sync/rejectedbar/{}/           in 302 302 302 302 302 |  in 302 302 302 302 302
/admin/sync/revision/                 in 403 200 200 200 200 |  in 403 403 403 403 403
/admin/sync/revision/add/             in 403 403 403 403 403 |  in 403 403 403 403 403
/admin/sync/revision/{}/history/      in 403 200 200 200 200 |  in 403 200 200 200 200
/admin/sync/revision/{}/delete/       in 403 403 403 403 403 |  in 403 403 403 403 403
/admin/sync/revision/{}/change/       in 403 200 200 200 200 |  in 403 403 403 403 403
/admin/sync/revision/{}/              in 302 302 302 302 302 |  in 302 302 302 302 302
/admin/sync/restatement/              in 403 200 200 200 200 |  in 403 403 403 403 403
/admin/sync/restatement/add/          in 403 403 403 403 403 |  in 403 403 403 403 403
/admin/sync/restatement/{}/history/   in 403 200 200 200 200 |  in 403 200 200 200 200
/admin/sync/restatement/{}/delete/    in 403 403 403 403 403 |  in 403 403 403 403 403
/admin/sync/restatement/{}/change/    in 403 200 200 200 200 |  in 403 403 403 403 403
/admin/sync/restatement/{}/           in 302 302 302 302 302 |  in 302 302 302 302 302
/admin/sync/split/                    in 403 200 200 200 200 |  in 403 403 403 403 403
/admin/sync/split/add/                in 403 403 403 403 403 |  in 403 403 403 403 403
/admin/sync/split/{}/history/         in 403 200 200 200 200 |  in 403 200 200 200 200
/admin/sync/split/{}/delete/          in 403 403 403 403 403 |  in 403 403 403 403 403
/admin/sync/split/{}/change/          in 403 200 200 200 200 |  in 403 403 403 403 403
/admin/sync/split/{}/                 in 302 302 302 302 302 |  in 302 302 302 302 302
/admin/sync/syncrun/start/            in 403 403 200 403 200 |  in 403 403 302 403 302
/admin/sync/syncrun/start/forecast/   in 405 405 405 405 405 |  in 403 403 200 403 200
/admin/sync/syncrun/{}/progress/      in 403 200 200 200 200 |  in 405 405 405 405 405
/admin/sync/syncrun/{}/cancel/        in 403 403 302 403 302 |  in 403 403 302 403 302
/admin/sync/syncrun/{}/again/         in 405 405 405 405 405 |  in 403 403 302 403 302
/admin/sync/syncrun/{}/retry/         in 405 405 405 405 405 |  in 403 403 302 403 302
/admin/sync/syncrun/                  in 403 200 200 200 200 |  in 403 403 403 403 403
/admin/sync/syncrun/add/              in 403 403 403 403 403 |  in 403 403 403 403 403
/admin/sync/syncrun/{}/history/       in 403 200 200 200 200 |  in 403 200 200 200 200
/admin/sync/syncrun/{}/delete/        in 403 403 403 403 403 |  in 403 403 403 403 403
/admin/sync/syncrun/{}/change/        in 403 200 200 200 200 |  in 403 403 403 403 403
/admin/sync/syncrun/{}/               in 302 302 302 302 302 |  in 302 302 302 302 302
/admin/sync/stock/sync/               in 405 405 405 405 405 |  in 403 403 302 403 302
/admin/sync/stock/import/             in 403 403 200 403 200 |  in 403 403 200 403 200
/admin/sync/stock/load/               in 403 403 200 403 200 |  in 403 403 200 403 200
/admin/sync/stock/klines/             in 403 200 200 200 200 |  in 405 405 405 405 405
/admin/sync/stock/{}/bars/            in 403 200 200 200 200 |  in 405 405 405 405 405
/admin/sync/stock/{}/repair/          in 405 405 405 405 405 |  in 403 403 302 403 302
/admin/sync/stock/                    in 403 200 200 200 200 |  in 403 403 200 403 200
/admin/sync/stock/add/                in 403 403 403 403 403 |  in 403 403 403 403 403
/admin/sync/stock/{}/history/         in 403 200 200 200 200 |  in 403 200 200 200 200
/admin/sync/stock/{}/delete/          in 403 403 403 403 403 |  in 403 403 403 403 403
/admin/sync/stock/{}/change/          in 403 200 200 200 200 |  in 403 403 403 403 403
/admin/sync/stock/{}/                 in 302 302 302 302 302 |  in 302 302 302 302 302
/admin/tokens/apitoken/{}/check/      in 405 405 405 405 405 |  in 403 403 403 302 302
/admin/tokens/apitoken/import/        in 403 403 403 200 200 |  in 403 403 403 200 200
/admin/tokens/apitoken/               in 403 200 200 200 200 |  in 403 403 403 302 302
/admin/tokens/apitoken/add/           in 403 403 403 200 200 |  in 403 403 403 200 200
/admin/tokens/apitoken/{}/history/    in 403 200 200 200 200 |  in 403 200 200 200 200
/admin/tokens/apitoken/{}/delete/     in 403 403 403 403 403 |  in 403 403 403 403 403
/admin/tokens/apitoken/{}/change/     in 403 200 200 200 200 |  in 403 403 403 200 200
/admin/tokens/apitoken/{}/            in 302 302 302 302 302 |  in 302 302 302 302 302
/admin/auth/                          in 404 404 404 404 200 |  in 404 404 404 404 200
/admin/axes/                          in 404 404 404 404 200 |  in 404 404 404 404 200
/admin/django_q/                      in 404 404 404 404 200 |  in 404 404 404 404 200
/admin/sync/                          in 200 200 200 200 200 |  in 200 200 200 200 200
/admin/tokens/                        in 404 200 200 200 200 |  in 404 200 200 200 200
/admin/nothing                        in 404 404 404 404 404 |  in 404 404 404 404 404
/api/nothing                         404 404 404 404 404 404 | 404 404 404 404 404 404
"""
_BY_METHOD = {(route, method) for method, route, *_ in API}
ONE_WAY = sorted(
    {(route, method) for route, _ in _BY_METHOD for method in ("GET", "POST")}
    - _BY_METHOD
)
WHO = (
    *(people.ANONYMOUS, people.NOBODY_YET, people.VIEWER),
    *(people.OPERATOR, people.KEEPER, people.SUPERUSER),
)
POWERLESS = WHO[:3]
LISTS_OF_APPS = {"auth", "axes", "django_q", "sync", "tokens"}
REFUSED = {"in", "401", "403", "404", "405"}
WINDOW = {"start": "2024-03-04", "end": "2024-03-08", "period": "day"}
# What a POST says, to do what the page is for; elsewhere it tries to delete.
DEEDS = {
    "/admin/sync/syncrun/start/": WINDOW | {"step": "begin", "markets": "HK"},
    "/admin/sync/stock/sync/": WINDOW | {"step": "begin", "stocks": "{}"},
    "/admin/sync/marketday/do/": {"do": "accept", "market": "HK", "day": "2024-03-06"},
    "/admin/sync/accesskey/": {"action": "revoke"},
    "/admin/axes/accessattempt/": {"action": "unlock"},
    "/admin/sync/syncfailure/": {"action": "give_up"},
    "/admin/sync/stock/": {"action": "sync_window"},
    "/admin/tokens/apitoken/": {"action": "disable"},
    "/admin/django_q/failure/": {"action": "resubmit_task"},
}
DELETE = {"action": "delete_selected", "post": "yes"}
Row = tuple[str, dict[str, list[str]]]


def listed() -> Iterator[Row]:
    for line in TABLE.strip().splitlines():
        path, codes = line.split(maxsplit=1)
        get, post = (part.split() for part in codes.split("|"))
        yield path, {"GET": get, "POST": post}


def routes(resolver: URLResolver, *, above: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        part = str(pattern.pattern)
        # As `resolve` spells it.
        route = above + part.removeprefix("^") if above else part
        if isinstance(pattern, URLResolver):
            yield from routes(pattern, above=route)
        else:
            yield route


def own_route(path: str) -> str:
    return resolve(path.replace("{}", "1")).route


def key_of(path: str, things: dict[str, str]) -> str:
    """The key of the thing that an address of the admin is about."""
    return next((things[part] for part in path.split("/") if part in things), "0")


def sent(path: str, *, key: str) -> dict[str, str]:
    """What a POST there says."""
    fields = DEEDS.get(path, DELETE)
    chosen = {"_selected_action": key, "index": "0"} if "action" in fields else {}
    return {name: text.replace("{}", key) for name, text in (fields | chosen).items()}


def called(path: str, *, method: str, kind: str, key: str) -> str:
    """What one call is answered; undone afterwards.

    A client of its own for each: one that has signed out is nobody.
    """
    client = Client()
    if kind != people.ANONYMOUS:
        client.force_login(people.person(kind))
    where = path.replace("{}", key)
    if method == "GET":
        return said(client.get(where))
    before = contents()
    answer = said(client.post(where, sent(path, key=key)))
    if kind in POWERLESS or answer in REFUSED:
        assert contents() == before, f"{kind} changed something by {path}: {answer}"
    return answer


def said(answer: HttpResponseBase) -> str:
    """The status in the words of the table."""
    if answer.headers.get("HX-Refresh"):
        return "in"
    to_sign_in = answer.headers.get("Location", "").startswith("/admin/login/")
    return "in" if to_sign_in else str(answer.status_code)


@pytest.mark.runs_on("sqlite")  # who may do what, not how it is stored
@pytest.mark.parametrize("kind", WHO)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_everybody_is_answered_as_the_table_says_and_the_refused_change_nothing(
    things: dict[str, str], method: str, kind: str
) -> None:
    if kind != people.ANONYMOUS:
        people.person(kind)
    expected, answered = {}, {}

    for path, codes in listed():
        expected[path] = codes[method][WHO.index(kind)]
        with transaction.atomic():
            answered[path] = called(
                path, method=method, kind=kind, key=key_of(path, things)
            )
            transaction.set_rollback(True)

    assert answered == expected


def test_every_address_has_its_row_and_every_row_its_address() -> None:
    elsewhere = {route for _method, route, _good, _allowed in API}
    elsewhere |= {f"{route}/" for route in elsewhere}

    found = set(routes(get_resolver())) - elsewhere
    rows_of = Counter(own_route(path) for path, _codes in listed())

    assert set(rows_of) == found
    several = {route: count for route, count in rows_of.items() if count > 1}
    ((route, count),) = several.items()
    assert count == 5
    assert set(re.findall(r"[a-z_]+(?=[|)])", route)) == LISTS_OF_APPS


@pytest.mark.runs_on("sqlite")
@pytest.mark.parametrize(("route", "method"), ONE_WAY)
def test_the_api_takes_no_other_method(
    things: dict[str, str], route: str, method: str
) -> None:
    path = "/" + route.replace("<int:pk>", things["syncrun"])
    before = contents()

    answers = {}
    for kind in WHO:
        with transaction.atomic():
            client = people.caller(kind)
            answers[kind] = client.generic(method, path).status_code
            transaction.set_rollback(True)

    assert answers[people.SUPERUSER] == 405
    assert set(answers.values()) <= {401, 403, 405}
    assert contents() == before
