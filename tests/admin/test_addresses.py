"""地址里的坏值:没有一页因此出错,没有一列因此看得出来。"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.options import ModelAdmin
from django.db import transaction
from django.test import Client, RequestFactory
from django.urls import NoReverseMatch, reverse

from common.admin.strict import StrictAdmin
from tests import people

from .test_matrix import listed
from .things import things

__all__ = ["things"]

DIGITS = "9" * 26
EVIL = (DIGITS, f"-{DIGITS}", "9" * 5000, "\x00")
LISTS = ("p", "o", "q", "_to_field")
# What pages of ours read from the address.
READ = (
    *("market", "period", "stock", "stock_code", "day", "start", "end", "since", "to"),
    *("until", "range", "run", "q", "p", "page", "before", "after", "status", "reason"),
)
OURS = {"sync", "tokens", "search", "overview"}
# Their pages look at nothing in the address, or at their own words only.
WITHOUT_FILTERS = {
    *("/admin/sync/scheduledjob/", "/admin/sync/marketday/"),
    "/admin/sync/alert/",
}
DJANGOS = {"history", "delete", "add"}


@pytest.fixture
def client(db: None) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(people.person(people.SUPERUSER))
    return client


def lists() -> Iterator[tuple[str, ModelAdmin[Any]]]:
    for model, page in admin.site._registry.items():
        label = f"{model._meta.app_label}_{model._meta.model_name}"
        try:
            yield reverse(f"admin:{label}_changelist"), page
        except NoReverseMatch:
            continue


def columns(page: ModelAdmin[Any]) -> list[str]:
    return [field.name for field in page.model._meta.concrete_fields]


def own_names(page: ModelAdmin[Any]) -> Iterator[str]:
    """What filters and links of this list put into the address."""
    request = RequestFactory().get("/")
    request.user = people.person(people.SUPERUSER)
    assert isinstance(page, StrictAdmin)
    yield from page.linked
    filters: Any = page.get_list_filter(request)
    for each in filters:
        if isinstance(each, str):
            yield from (f"{each}{form}" for form in ("__exact", "__id__exact"))
        else:
            yield from getattr(each, "names", None) or [each.parameter_name]


def test_every_page_stands_on_the_strict_one() -> None:
    loose = [
        page
        for page in admin.site._registry.values()
        if type(page).lookup_allowed is not StrictAdmin.lookup_allowed
    ]

    assert not loose


def test_no_list_takes_a_lookup_that_is_not_its_own(
    client: Client, things: dict[str, str]
) -> None:
    lookups = [
        (address, f"{columns(page)[-1]}{how}")
        for address, page in lists()
        for how in ("__regex", "__startswith", "__year", "__in")
    ]

    answered = {
        (address, lookup): client.get(address, {lookup: "1"}).status_code
        for address, lookup in lookups
        if address not in WITHOUT_FILTERS
    }

    assert set(answered.values()) == {400}


def test_no_column_is_read_by_a_filter() -> None:
    request = RequestFactory().get("/")

    read = [
        (address, column, how)
        for address, page in lists()
        for column in columns(page)
        for how in ("__regex", "__startswith", "__year", "__in", "__gt")
        if page.lookup_allowed(f"{column}{how}", "1", request)
    ]

    assert not read


def test_no_value_breaks_a_list(client: Client, things: dict[str, str]) -> None:
    asked = [
        (address, name, value)
        for address, page in lists()
        for name in own_names(page)
        for value in EVIL
    ]
    asked += [(address, name, DIGITS) for address, _page in lists() for name in LISTS]

    broken = [
        (address, name, value[:30])
        for address, name, value in asked
        if client.get(address, {name: value}).status_code >= 500
    ]

    assert not broken


def pages(things: dict[str, str]) -> Iterator[str]:
    """Our own pages, of a thing that is there and of one with an absurd number."""
    for path, _codes in listed():
        parts = path.split("/")
        if not OURS & set(parts) or DJANGOS & set(parts):
            continue
        keys = {things.get(parts[3], "1"), DIGITS} if "{}" in path else {""}
        yield from (path.replace("{}", key) for key in keys)


def test_no_value_breaks_a_page(client: Client, things: dict[str, str]) -> None:
    asked = [(name, DIGITS) for name in READ] + [("day", "0001-01-01")]
    broken = [
        (page, name)
        for page in pages(things)
        for name, value in asked
        if client.get(page, {name: value}).status_code >= 500
    ]

    assert not broken


FIELDS = (
    *("stock", "stocks", "_selected_action", "days", "day", "start", "end", "market"),
    *("markets", "period", "text", "max_retry_count", "until", "next", "func", "run"),
)
USUAL = {"market": "HK", "period": "day", "day": "2024-03-06", "step": "begin"}
DEEDS = ("retry", "again", "accept", "note", "fetch")


def test_nothing_that_is_posted_breaks_a_page(
    client: Client, things: dict[str, str]
) -> None:
    broken = []
    for page in pages(things):
        deeds = DEEDS if page.endswith("/do/") else ("",)
        forms = [{name: DIGITS} for name in FIELDS] + [dict.fromkeys(FIELDS, "\x00")]
        for absurd, deed in product(forms, deeds):
            form = USUAL | {"do": deed} | absurd
            with transaction.atomic():
                if client.post(page, form).status_code >= 500:
                    broken.append((page, deed, absurd))
                transaction.set_rollback(True)

    assert not broken


def test_no_number_of_a_row_breaks_an_action(
    client: Client, things: dict[str, str]
) -> None:
    request = RequestFactory().get("/")
    request.user = people.person(people.SUPERUSER)

    broken = [
        (address, action)
        for address, page in lists()
        for action in page.get_actions(request)
        if client.post(
            address, {"action": action, "_selected_action": DIGITS, "index": 0}
        ).status_code
        >= 500
    ]

    assert not broken
