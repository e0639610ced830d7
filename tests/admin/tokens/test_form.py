"""添加和修改 Token 的表单:值只进不出,只写改过的列。"""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from tests.fixtures import MakeToken
from tokens.models import ApiToken

from ..people import signed_in, text

pytestmark = pytest.mark.django_db

CANARY = "canary-0123456789-tail"
ADD = reverse("admin:tokens_apitoken_add")
HIDDEN = re.compile(r'name="(initial-[\w]+)" value="([^"]*)"')


def tina() -> Client:
    """保管 Token 的人。"""
    return signed_in("tina", "Token keepers")


def page_of(token: ApiToken) -> str:
    return reverse("admin:tokens_apitoken_change", args=[token.pk])


def form(**changed: Any) -> dict[str, Any]:
    """表单里的内容,和新的 Token 的默认值一样。"""
    usual = {
        "name": "main",
        "provider": "itick",
        "value": "",
        "base_url": "",
        "status": 1,
        "minute_limit": 5,
        "daily_limit": 0,
        "batch_size": 1,
        "markets": "",
        "excluded_markets": "",
        "expire_time_0": "",
        "expire_time_1": "",
    }
    return usual | changed


def seen(client: Client, token: ApiToken) -> dict[str, str]:
    """打开表单;返回它看到的原来的值。"""
    return dict(HIDDEN.findall(text(client.get(page_of(token)))))


def edit(client: Client, token: ApiToken, **changed: Any) -> Any:
    before = seen(client, token)
    return client.post(page_of(token), before | form(name=token.name) | changed)


def errors(response: Any) -> dict[str, list[str]]:
    assert response.status_code == 200
    return dict(response.context["adminform"].form.errors)


def test_a_new_token_is_stored_encrypted() -> None:
    answer = tina().post(ADD, form(value=CANARY, markets="HK,US", daily_limit=9))

    assert answer.status_code == 302
    token = ApiToken.objects.get()
    assert (token.reveal(), token.last_four) == (CANARY, "tail")
    assert (token.name, token.markets, token.daily_limit) == ("main", "HK,US", 9)


def test_a_new_token_needs_a_value_that_can_be_one() -> None:
    client = tina()

    missing = errors(client.post(ADD, form()))
    short = errors(client.post(ADD, form(value="short")))

    assert missing == {"value": ["This field is required."]}
    assert short == {"value": ["The token is shorter than 8 characters."]}
    assert not ApiToken.objects.exists()


def test_the_value_never_comes_back_into_a_page(make_token: MakeToken) -> None:
    token = make_token(value=CANARY)
    client = tina()

    pages = [
        text(client.get(page_of(token))),
        text(client.post(ADD, form(value="another-value-1", base_url="ftp://x"))),
        text(edit(client, token, value="another-value-2", minute_limit="x")),
        text(client.post(ADD, form(value="named-value-12", name="my named-value-12"))),
        text(edit(client, token, name=f"my {CANARY}")),
    ]

    for page in pages:
        for secret in (CANARY, "another-value", "named-value", token.token):
            assert secret not in page
    assert "The name must not hold the value." in pages[3]
    assert "The name must not hold the value." in pages[4]


def test_a_blank_value_keeps_what_is_stored(make_token: MakeToken) -> None:
    token = make_token(value=CANARY, name="before")

    edit(tina(), token, name="after", expire_time_0="2031-01-02", expire_time_1="3:04")

    stored = ApiToken.objects.get()
    assert (stored.name, stored.reveal()) == ("after", CANARY)
    assert f"{stored.expire_time:%Y-%m-%d %H:%M}" == "2031-01-02 03:04"


def test_a_new_value_takes_the_place_of_the_old(make_token: MakeToken) -> None:
    token = make_token(value="the-old-value", last_error="401")

    answer = edit(tina(), token, value=f" {CANARY} ")

    assert answer.status_code == 302
    stored = ApiToken.objects.get()
    assert (stored.reveal(), stored.masked) == (CANARY, "****tail")
    entry = LogEntry.objects.get()
    assert "New value" in entry.get_change_message()
    assert CANARY not in f"{entry.change_message} {entry.object_repr}"


def test_a_value_that_is_stored_already_is_refused_under_every_key(
    make_token: MakeToken, keys: list[str], settings: Settings
) -> None:
    make_token(value=CANARY, name="first")
    settings.TOKEN_ENCRYPTION_KEYS = keys[::-1]
    other = make_token(name="other")
    client = tina()

    added = errors(client.post(ADD, form(value=CANARY)))
    changed = errors(edit(client, other, value=CANARY))
    ApiToken.objects.filter(name="first").update(deleted=True)
    deleted = errors(client.post(ADD, form(value=CANARY)))

    said = "This value is stored already, as first ****tail."
    assert (added, changed) == ({"value": [said]}, {"value": [said]})
    assert deleted == {"value": [f"{said} That token is deleted: restore it."]}


def test_a_value_that_is_stored_at_the_same_moment_is_no_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def taken(*_arguments: object, **_options: object) -> None:
        raise IntegrityError("token_digest")

    monkeypatch.setattr(ApiToken, "save", taken)

    page = tina().post(ADD, form(value=CANARY), follow=True)

    assert "stored this value at the same moment" in text(page)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", "https://api0.itick.org"),
        ("https://api0.itick.org", ""),
        ("http://localhost:9000", "http://localhost:9001"),
        ("https://api0.itick.org", "https://api0.itick.org:8443"),
    ],
)
def test_another_host_needs_the_value_once_more(
    old: str, new: str, make_token: MakeToken, settings: Settings
) -> None:
    settings.ITICK_ALLOWED_HOSTS += ["localhost"]
    token = make_token(value=CANARY, base_url=old)
    client = tina()

    refused = errors(edit(client, token, base_url=new))
    forged = client.post(page_of(token), form(base_url=new) | {"initial-base_url": new})

    assert refused == {
        "value": ["Another host receives the value: enter it once more."]
    }
    assert forged.status_code == 302  # the page says it has not changed
    assert ApiToken.objects.get().base_url == old
    edit(client, token, base_url=new, value=CANARY)
    assert ApiToken.objects.get().base_url == new


def test_the_same_host_needs_no_value(
    make_token: MakeToken, settings: Settings
) -> None:
    settings.ITICK_BASE_URL = "https://api.itick.org"
    token = make_token(value=CANARY)

    edit(tina(), token, base_url="https://api.itick.org/v1/")

    assert ApiToken.objects.get().base_url == "https://api.itick.org/v1"


def test_a_host_that_is_not_allowed_is_refused() -> None:
    said = errors(tina().post(ADD, form(value=CANARY, base_url="https://evil.test")))

    assert said == {
        "base_url": ["The base URL's host is not one of ITICK_ALLOWED_HOSTS."]
    }


def test_only_what_the_person_changed_is_written(make_token: MakeToken) -> None:
    token = make_token(name="before", value=CANARY)
    client = tina()
    before = seen(client, token)
    meanwhile = {
        "status": 0,
        "excluded_markets": "US",
        "daily_used": 7,
        "reserved": 3,
        "leased_by": "run 1",
        "recent_calls": [[1, 1]],
        "last_error": "401",
    }
    ApiToken.objects.update(**meanwhile)

    answer = client.post(page_of(token), before | form(name="after", daily_limit=9))

    assert answer.status_code == 302
    stored = ApiToken.objects.get()
    assert (stored.name, stored.daily_limit) == ("after", 9)
    assert {name: getattr(stored, name) for name in meanwhile} == meanwhile


def test_a_write_between_reading_and_saving_is_kept(
    make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, client, save = make_token(name="before"), tina(), ApiToken.save

    def save_late(self: ApiToken, **options: Any) -> None:
        ApiToken.objects.update(daily_used=7, reserved=3, leased_by="run 1")
        save(self, **options)

    monkeypatch.setattr(ApiToken, "save", save_late)
    edit(client, token, name="after")

    stored = ApiToken.objects.get()
    assert (stored.name, stored.daily_used, stored.reserved) == ("after", 7, 3)
    assert stored.leased_by == "run 1"


def test_a_token_whose_value_no_key_opens_can_be_renamed(
    make_token: MakeToken, keys: list[str], settings: Settings
) -> None:
    token = make_token(name="lost")
    settings.TOKEN_ENCRYPTION_KEYS = keys[1:]

    answer = edit(tina(), token, name="still lost")

    assert answer.status_code == 302
    assert ApiToken.objects.get().name == "still lost"


def test_this_machine_is_an_address_only_where_it_is_named(
    make_token: MakeToken, settings: Settings
) -> None:
    settings.ITICK_ALLOWED_HOSTS = ["api.itick.org"]
    inside = "http://127.0.0.1:6379"
    token = make_token(value=CANARY)
    client = tina()

    refused = errors(edit(client, token, base_url=inside, value="another-value-0001"))

    said = "The base URL's host is not one of ITICK_ALLOWED_HOSTS."
    assert refused == {"base_url": [said]}
    settings.ITICK_BASE_URL = "http://127.0.0.1:9000"
    edit(client, token, base_url=inside, value="another-value-0001")
    assert ApiToken.objects.get().base_url == inside
