"""同时导入同样的股票:两边都成功,后来的发现已经有了。"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from sync import services
from sync.models import Stock
from sync.models.stocks import StockQuerySet
from sync.services.stocks.preview import preview_stocks
from tests.admin.people import signed_in
from tests.racing import Meeting, at_once

pytestmark = pytest.mark.django_db(transaction=True)
HEAD = "market,stock_code,stock_name\n"


def listing(count: int, *, backwards: bool = False) -> bytes:
    lines = [f"HK,{number},name {number}\n" for number in range(1, count + 1)]
    return (HEAD + "".join(reversed(lines) if backwards else lines)).encode()


def test_two_imports_of_6000_new_stocks_both_end_well() -> None:
    files = listing(6000), listing(6000, backwards=True)

    results = at_once([partial(services.import_stocks, file) for file in files])

    assert sorted(result.created for result in results) == [0, 6000]
    assert {result.created + result.unchanged for result in results} == {6000}
    assert Stock.objects.count() == 6000


def test_imports_that_share_only_some_stocks_store_each_once() -> None:
    files = [listing(300), listing(500), listing(700, backwards=True)]

    results = at_once([partial(services.import_stocks, file) for file in files])

    assert sum(result.created for result in results) == Stock.objects.count() == 700
    counted = [result.created + result.unchanged for result in results]
    assert counted == [300, 500, 700]


def test_who_has_looked_before_the_other_has_stored_finds_them_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meet, create = Meeting(2), StockQuerySet.bulk_create

    def slow(stocks: StockQuerySet, *arguments: Any, **options: Any) -> Any:
        meet()
        return create(stocks, *arguments, **options)

    monkeypatch.setattr(StockQuerySet, "bulk_create", slow)

    results = at_once([lambda: services.import_stocks(listing(3))] * 2)

    assert sorted(result.created for result in results) == [0, 3]
    assert {result.created + result.unchanged for result in results} == {3}


def test_previews_and_imports_at_once_do_not_disturb_each_other() -> None:
    file = listing(200)

    def preview() -> int:
        shown = preview_stocks(file, most=5)
        return shown.listed.created + shown.listed.unchanged

    def imported() -> int:
        return services.import_stocks(file).created

    *previews, created = at_once([preview, preview, preview, imported])

    assert previews == [200, 200, 200]
    assert created == Stock.objects.count() == 200


def test_changes_of_the_same_stocks_at_once_are_one_or_the_other() -> None:
    services.import_stocks(listing(400))
    one = listing(400).replace(b",name ", b",one ")
    other = listing(400, backwards=True).replace(b",name ", b",other ")

    at_once(
        [lambda: services.import_stocks(one), lambda: services.import_stocks(other)]
    )

    names = set(Stock.objects.values_list("stock_name", flat=True))
    assert len({name.split()[0] for name in names}) == 1


def test_two_confirm_pages_and_a_command_at_once_all_end_well() -> None:
    file, page = listing(300), reverse("admin:sync_stock_import")
    # Not by a group: between such tests the tables are emptied, groups and all.
    clients = [signed_in(name, superuser=True) for name in ("ann", "ben")]
    parcels = []
    for client in clients:
        upload = SimpleUploadedFile("stocks.csv", file)
        shown = client.post(page, {"file": upload}).content.decode()
        parcels += re.findall(r'name="parcel" value="([^"]+)"', shown)

    def confirm(client: Client, parcel: str) -> int:
        return client.post(page, {"parcel": parcel}).status_code

    pages = [partial(confirm, *pair) for pair in zip(clients, parcels, strict=True)]

    def command() -> int:
        services.import_stocks(file)
        return 302

    calls: list[Callable[[], int]] = [*pages, command]
    answers = at_once(calls)

    assert answers == [302, 302, 302]
    assert Stock.objects.count() == 300
