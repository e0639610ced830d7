"""从 CSV 导入 Token 的页面。"""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from common.admin import uploads
from common.parcels import StaleParcel, unwrap, wrap
from tests.fixtures import MakeToken
from tokens.models import ApiToken

from ..people import signed_in, text, vera

pytestmark = pytest.mark.django_db

CANARY = "canary-0123456789-tail"
IMPORT = reverse("admin:tokens_apitoken_import")
HEAD = "provider,token,name,daily_limit\n"


def tina() -> Client:
    return signed_in("tina", "Token keepers")


def upload(client: Client, content: str) -> Any:
    file = SimpleUploadedFile("tokens.csv", content.encode())
    return client.post(IMPORT, {"file": file})


def parcel_in(page: Any) -> str:
    found = re.search(r'name="parcel" value="([^"]+)"', text(page))
    assert found
    return found[1]


def test_the_preview_tells_what_would_happen_and_changes_nothing(
    make_token: MakeToken,
) -> None:
    make_token(value="stored-value-1", name="same", daily_limit=5)
    make_token(value="stored-value-2", name="old")
    make_token(value="stored-value-3", name="gone", deleted=True)
    rows = [
        "itick,stored-value-1,same,5",
        "itick,stored-value-2,fresh,7",
        "itick,stored-value-3,gone,",
        f"itick,{CANARY},brand,",
    ]
    before = list(ApiToken.objects.order_by("pk").values())

    page = upload(tina(), HEAD + "\n".join(rows))

    shown = [
        (line["number"], line["token"], str(line["outcome"]), line["changes"])
        for line in page.context["lines"]
    ]
    assert shown == [
        (2, "same ****ue-1", "unchanged", ""),
        (3, "old ****ue-2", "updated", "name, daily_limit"),
        (4, "gone ****ue-3", "restored", ""),
        (5, "****tail", "new", ""),
    ]
    assert list(ApiToken.objects.order_by("pk").values()) == before


def test_the_confirmed_file_is_imported() -> None:
    client = tina()
    page = upload(client, f"{HEAD}itick,{CANARY},main,9\n")

    answer = client.post(IMPORT, {"parcel": parcel_in(page)}, follow=True)

    assert "Imported: 1 new, 0 updated, 0 restored, 0 unchanged." in text(answer)
    token = ApiToken.objects.get()
    assert (token.reveal(), token.name, token.daily_limit) == (CANARY, "main", 9)


def test_the_content_is_neither_in_the_page_nor_in_the_session() -> None:
    client = tina()

    page = upload(client, f"{HEAD}itick,{CANARY},slipped-secret,9\n")
    answer = client.post(IMPORT, {"parcel": parcel_in(page)}, follow=True)

    assert CANARY not in text(page) + text(answer)
    assert "slipped-secret" not in text(page)
    kept = [session.get_decoded() for session in Session.objects.all()]
    assert CANARY not in str(kept)
    assert all(uploads.PARCEL not in str(session) for session in kept)


def test_every_bad_line_is_told_and_nothing_can_be_confirmed() -> None:
    page = upload(tina(), f"{HEAD}itick,short,,x\nother,{CANARY},,\n")

    assert page.context["form"].reasons == [
        "line 2: the token is shorter than 8 characters.",
        "line 2: daily_limit is not a whole number from 0 to 999999999.",
        "line 3: the provider is not known; known is itick.",
    ]
    assert 'name="parcel"' not in text(page)
    assert CANARY not in text(page)


def test_bad_lines_are_told_in_the_reader_s_language() -> None:
    client = tina()
    client.cookies["django_language"] = "zh-hans"

    page = upload(client, HEAD + "itick,short,name,-3\n")

    assert page.context["form"].reasons == [
        "第 2 行：Token 的值不到 8 个字符。",
        "第 2 行：daily_limit 不是 0 到 999999999 的整数。",
    ]


def test_a_parcel_of_another_person_is_refused() -> None:
    parcel = parcel_in(upload(tina(), f"{HEAD}itick,{CANARY},,\n"))
    other = signed_in("tom", "Token keepers")

    page = other.post(IMPORT, {"parcel": parcel}, follow=True)

    assert "choose the file once more" in text(page)
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("parcel", ["", "rubbish", "gAAAAA=="])
def test_a_parcel_that_is_none_is_refused(parcel: str) -> None:
    page = tina().post(IMPORT, {"parcel": parcel}, follow=True)

    assert "choose the file once more" in text(page)


def test_an_old_parcel_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    client = tina()
    parcel = parcel_in(upload(client, f"{HEAD}itick,{CANARY},,\n"))
    monkeypatch.setattr(uploads, "MINUTES", -1)

    page = client.post(IMPORT, {"parcel": parcel}, follow=True)

    assert "choose the file once more" in text(page)
    assert not ApiToken.objects.exists()


def test_a_parcel_survives_a_new_key(keys: list[str], settings: Settings) -> None:
    parcel = wrap(b"data", purpose="test")
    settings.TOKEN_ENCRYPTION_KEYS = keys[::-1]

    assert unwrap(parcel, purpose="test", seconds=60) == b"data"
    with pytest.raises(StaleParcel):
        unwrap(parcel, purpose="other", seconds=60)


def test_a_stored_value_is_no_parcel(make_token: MakeToken) -> None:
    token = make_token()

    with pytest.raises(StaleParcel):
        unwrap(token.token, purpose="tokens of user 1", seconds=60)


def test_a_file_that_is_too_large_or_missing_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = tina()
    monkeypatch.setattr(uploads, "LARGEST", 10)

    assert "larger than 1 MB" in text(upload(client, f"{HEAD}itick,{CANARY},,\n"))
    assert "Choose a file of at most 1 MB." in text(client.post(IMPORT))


def test_the_largest_file_fits_into_the_form(settings: Settings) -> None:
    content = random.Random(1).randbytes(uploads.LARGEST)

    parcel = wrap(content, purpose="test")

    assert len(parcel) < settings.DATA_UPLOAD_MAX_MEMORY_SIZE - 10_000
    assert unwrap(parcel, purpose="test", seconds=60) == content


def test_a_long_file_is_listed_in_part_and_imported_whole() -> None:
    client = tina()
    lines = "\n".join(f"itick,some-value-{number:04}" for number in range(203))

    page = upload(client, f"provider,token\n{lines}")
    answer = client.post(IMPORT, {"parcel": parcel_in(page)}, follow=True)

    assert (len(page.context["lines"]), page.context["more"]) == (200, 3)
    assert "Imported: 203 new" in text(answer)


@pytest.mark.parametrize("missing", ["add_apitoken", "change_apitoken"])
def test_importing_needs_both_adding_and_changing(missing: str) -> None:
    client = signed_in("half", "Token keepers")
    _forget(missing)

    assert client.get(IMPORT).status_code == 403
    assert upload(client, f"{HEAD}itick,{CANARY},,\n").status_code == 403
    assert vera().get(IMPORT).status_code == 403


def test_importing_needs_the_csrf_token() -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = tina().cookies

    assert upload(strict, f"{HEAD}itick,{CANARY},,\n").status_code == 403


def _forget(codename: str) -> None:
    group = Group.objects.get(name="Token keepers")
    group.permissions.remove(*group.permissions.filter(codename=codename))


def test_a_file_cannot_send_a_token_to_what_else_listens_here(
    settings: Settings,
) -> None:
    settings.ITICK_ALLOWED_HOSTS = ["api.itick.org"]
    lines = "provider,token,base_url\nitick,a-value-for-the-test,http://127.0.0.1:6379"

    page = upload(tina(), lines)

    said = "line 2: The base URL&#x27;s host is not one of ITICK_ALLOWED_HOSTS."
    assert said in text(page)
    assert "parcel" not in page.context
