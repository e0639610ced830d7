"""错误的页面在网站的框架里,导航在两种语言里一个次序。"""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import path, reverse
from pytest_django import DjangoAssertNumQueries

from stocksync_site import errors
from stocksync_site.urls import urlpatterns as ours
from tests.admin.people import nora, otto, text

pytestmark = pytest.mark.django_db
BACK = f'href="{reverse("admin:index")}"'


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("the secret of the house")


def suspicious(request: HttpRequest) -> HttpResponse:
    raise SuspiciousOperation("too many fields")


urlpatterns = [path("broken/", broken), path("suspicious/", suspicious), *ours]
handler400, handler500 = errors.bad_request, errors.server_error


def seen(answer: Any, status: int) -> str:
    page = text(answer)
    assert answer.status_code == status
    assert "/static/stocksync/admin.css" in page
    assert '<span class="brand">stocksync</span>' in page
    assert BACK in page
    return page


def test_what_one_may_not_see_is_told_in_the_frame() -> None:
    page = seen(nora().get(reverse("admin:sync_syncrun_start")), 403)

    assert "Not allowed" in page


def test_an_address_that_does_not_exist_is_told_in_the_frame() -> None:
    page = seen(otto().get("/admin/nothing/"), 404)

    assert reverse("admin:sync_stock_changelist") in page  # the navigation


def test_a_page_that_is_only_for_buttons_is_told_in_the_frame() -> None:
    answer = otto().get(reverse("admin:sync_stock_sync"))

    assert "Not possible here" in seen(answer, 405)
    assert answer.headers["Allow"] == "POST"


def test_a_form_that_is_out_of_date_is_told_in_the_frame() -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = otto().cookies

    assert "load its page again" in seen(strict.post("/admin/sync/syncrun/start/"), 403)


@override_settings(ROOT_URLCONF=__name__)
def test_a_fault_of_ours_is_told_without_its_text() -> None:
    client = Client(raise_request_exception=False)

    page = seen(client.get("/broken/"), 500)

    assert "secret" not in page
    assert "has been logged" in page


def test_the_page_of_a_fault_asks_the_database_nothing(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(0):
        answer = errors.server_error(RequestFactory().get("/"))

    assert answer.status_code == 500


@override_settings(ROOT_URLCONF=__name__)
def test_a_request_that_cannot_be_understood_is_told_in_the_frame() -> None:
    seen(Client().get("/suspicious/"), 400)


def test_the_api_answers_in_its_own_shape() -> None:
    answer = otto().get("/api/nothing")

    assert answer.json() == {"detail": "Not found."}
