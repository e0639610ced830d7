"""股票列表从哪里来:CSV 文件,或者服务商。"""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from sync import services
from sync.models import Stock
from sync.services.stocks.rows import Listed
from tests.rows import stock

from ..people import otto, text, vera

pytestmark = pytest.mark.django_db

LIST = reverse("admin:sync_stock_changelist")
IMPORT = reverse("admin:sync_stock_import")
LOAD = reverse("admin:sync_stock_load")
HEAD = "market,stock_code,stock_name,exchange\n"


def said(page: Any) -> str:
    return " ".join(str(message) for message in page.context["messages"])


def upload(client: Client, content: str) -> Any:
    file = SimpleUploadedFile("stocks.csv", content.encode())
    return client.post(IMPORT, {"file": file})


def test_the_preview_lists_new_and_updated_stocks_and_changes_nothing() -> None:
    stock("700", stock_name="Tencent")
    stock("5", stock_name="HSBC")
    before = list(Stock.objects.order_by("pk").values())

    page = upload(otto(), f"{HEAD}HK,700,Tencent Holdings,\nHK,5,HSBC,\nHK,1,<i>,\n")

    preview = page.context["preview"]
    assert preview.listed == Listed(created=1, updated=1, unchanged=1)
    assert [str(one) for one in preview.created] == ["HK 1"]
    assert [one.stock_name for one in preview.updated] == ["Tencent Holdings"]
    assert "&lt;i&gt;" in text(page)
    assert list(Stock.objects.order_by("pk").values()) == before


def test_a_stock_that_is_there_twice_is_noted_and_imported_once() -> None:
    client = otto()
    page = upload(client, f"{HEAD}HK,700,Tencent,\nHK,0700.HK,again,\n")
    found = re.search(r'name="parcel" value="([^"]+)"', text(page))
    assert found
    assert "line 3: HK 700 is on line 2 already" in text(page)

    answer = client.post(IMPORT, {"parcel": found[1]}, follow=True)

    assert said(answer).startswith("1 new, 0 updated, 0 unchanged. 1 were there twice")


def test_the_confirmed_list_is_imported() -> None:
    client = otto()
    page = upload(client, f"{HEAD}HK,1,CKH,HKEX\n")
    found = re.search(r'name="parcel" value="([^"]+)"', text(page))
    assert found

    answer = client.post(IMPORT, {"parcel": found[1]}, follow=True)

    assert said(answer) == "1 new, 0 updated, 0 unchanged."
    assert Stock.objects.get().stock_name == "CKH"


def test_every_bad_line_is_told() -> None:
    page = upload(otto(), f"{HEAD}XX,1,one,\nHK,,two,\n")

    assert page.context["form"].reasons == [
        "line 2: unknown market 'XX'",
        "line 3: the stock code is missing",
    ]
    assert "preview" not in page.context
    assert not Stock.objects.exists()


def test_a_parcel_of_tokens_is_no_list_of_stocks() -> None:
    page = otto().post(IMPORT, {"parcel": "rubbish"}, follow=True)

    assert "choose the file once more" in said(page)


def test_a_list_is_loaded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def sync_stocks(wanted: list[str], *, confirmed: bool) -> dict[str, Listed]:
        asked.append((wanted, confirmed))
        return {wanted[0]: Listed(created=1200, updated=1, unchanged=0)}

    monkeypatch.setattr(services, "sync_stocks", sync_stocks)

    page = otto().post(LOAD, {"market": "US"}, follow=True)

    assert asked == [(["US"], False)]
    assert said(page) == "US: 1,200 new, 1 updated, 0 unchanged."
    assert page.redirect_chain == [(f"{LIST}?market=US", 302)]


def test_a_list_that_cannot_be_had_is_said_in_the_form(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def sync_stocks(_wanted: list[str], **_: Any) -> None:
        raise services.Refused("The list of US could not be had: timed out")

    monkeypatch.setattr(services, "sync_stocks", sync_stocks)

    client = otto()

    page = client.post(LOAD, {"market": "US"})
    unknown = client.post(LOAD, {"market": "XX"})

    assert "could not be had: timed out" in text(page)
    assert "Select a valid choice" in text(unknown)


def test_a_list_that_is_far_too_long_is_loaded_once_it_is_confirmed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def sync_stocks(wanted: list[str], *, confirmed: bool) -> dict[str, Listed]:
        if not confirmed:
            raise services.Unconfirmed("11 stocks, of which 1 are stored.")
        return {wanted[0]: Listed(created=11, updated=0, unchanged=0)}

    monkeypatch.setattr(services, "sync_stocks", sync_stocks)
    client = otto()
    box = '<input type="checkbox" name="confirmed" value="HK"'

    assert "checkbox" not in text(client.get(LOAD))
    asked = text(client.post(LOAD, {"market": "HK"}))
    of_another = text(client.post(LOAD, {"market": "US", "confirmed": "HK"}))
    done = client.post(LOAD, {"market": "HK", "confirmed": "HK"}, follow=True)

    assert "11 stocks, of which 1 are stored." in asked
    assert box in asked
    assert "11 stocks, of which 1 are stored." in of_another
    assert said(done) == "HK: 11 new, 0 updated, 0 unchanged."


def test_who_may_only_see_imports_and_loads_nothing() -> None:
    client = vera()

    answers = [
        upload(client, f"{HEAD}HK,1,CKH,\n").status_code,
        client.get(IMPORT).status_code,
        client.post(LOAD, {"market": "HK"}).status_code,
        client.get(LOAD).status_code,
    ]

    assert answers == [403] * 4
    assert not Stock.objects.exists()
    assert "Import from CSV" not in text(client.get(LIST))
