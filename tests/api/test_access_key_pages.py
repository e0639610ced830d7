"""访问密钥的管理页面。"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

import sync.admin.access  # noqa: F401 the page registers itself
from sync.models import AccessKey, Activity
from tests import people

LIST = "/admin/sync/accesskey/"
ADD = f"{LIST}add/"
TOMORROW = timezone.now() + timedelta(days=1)
WANTED = {
    "name": "night job",
    "expires_at_0": f"{TOMORROW:%Y-%m-%d}",
    "expires_at_1": "00:00",
}
SHOWN = re.compile(r'<code id="access-key">([^<]+)</code>')


def browser(kind: str) -> Client:
    client = Client()
    client.force_login(people.person(kind))
    return client


def acted(client: Client, *keys: AccessKey, action: str = "revoke") -> Any:
    chosen = [str(key.pk) for key in keys]
    return client.post(LIST, {"action": action, "_selected_action": chosen})


def test_the_page_is_registered() -> None:
    assert admin.site.is_registered(AccessKey)


@pytest.mark.django_db
@pytest.mark.parametrize("kind", people.SESSIONS)
def test_staff_make_keys_for_themselves_and_see_them_once(kind: str) -> None:
    client = browser(kind)
    mine = people.person(kind)

    page = client.post(ADD, WANTED | {"user": str(mine.pk)})

    shown = SHOWN.search(page.content.decode())
    assert shown is not None, page.content.decode()
    key = AccessKey.objects.find(shown[1], at=timezone.now())
    assert key is not None
    assert (key.user, key.name) == (mine, "night job")
    assert "no-store" in page["Cache-Control"]
    later = client.get(LIST).content.decode() + str(client.cookies)
    later += client.get(f"{LIST}{key.pk}/change/").content.decode()
    later += str(list(LogEntry.objects.values())) + str(list(Session.objects.values()))
    assert key.prefix in later
    assert shown[1] not in later


@pytest.mark.django_db
def test_staff_make_none_for_another() -> None:
    other = people.person(people.SUPERUSER)

    browser(people.VIEWER).post(ADD, WANTED | {"user": str(other.pk)})

    assert AccessKey.objects.get().user == people.person(people.VIEWER)


@pytest.mark.django_db
def test_a_superuser_makes_one_for_another() -> None:
    other = people.person(people.VIEWER)

    browser(people.SUPERUSER).post(ADD, WANTED | {"user": str(other.pk)})

    assert AccessKey.objects.get().user == other


@pytest.mark.django_db
def test_a_key_must_expire_in_the_future() -> None:
    page = browser(people.VIEWER).post(ADD, WANTED | {"expires_at_0": "2024-01-01"})

    assert "Give a moment in the future." in page.content.decode()
    assert not AccessKey.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("day", ["2100-01-01", "9999-12-31"])
def test_a_key_is_good_for_two_years_at_most(day: str) -> None:
    page = browser(people.VIEWER).post(ADD, WANTED | {"expires_at_0": day})

    assert "A key is good for two years at most." in page.content.decode()
    assert not AccessKey.objects.exists()


@pytest.mark.django_db
def test_the_form_proposes_a_year() -> None:
    page = browser(people.VIEWER).get(ADD).content.decode()

    assert f"{timezone.now() + people.YEAR:%Y-%m-%d}" in page


@pytest.mark.django_db
def test_staff_see_and_revoke_their_own_alone() -> None:
    mine = people.drawn(people.person(people.VIEWER))
    other = people.drawn(people.person(people.OPERATOR))
    client = browser(people.VIEWER)

    page = client.get(LIST).content.decode()
    acted(client, mine, other)

    assert mine.prefix in page
    assert other.prefix not in page
    assert client.get(f"{LIST}{other.pk}/change/").status_code == 302
    mine.refresh_from_db()
    other.refresh_from_db()
    assert mine.revoked_at is not None
    assert other.revoked_at is None


@pytest.mark.django_db
def test_a_superuser_revokes_anybodys() -> None:
    key = people.drawn(people.person(people.VIEWER))

    acted(browser(people.SUPERUSER), key)

    key.refresh_from_db()
    assert key.revoked_at is not None


@pytest.mark.django_db
def test_staff_edit_and_delete_no_key() -> None:
    key = people.drawn(people.person(people.VIEWER))
    client = browser(people.VIEWER)
    page = f"{LIST}{key.pk}/change/"

    changed = client.post(page, WANTED | {"name": "mine", "calls_per_minute": "0"})
    deleted = client.post(f"{LIST}{key.pk}/delete/", {"post": "yes"})
    acted(client, key, action="delete_selected")

    assert (changed.status_code, deleted.status_code) == (403, 403)
    key.refresh_from_db()
    assert (key.name, key.calls_per_minute) == ("script", None)
    assert "120" in client.get(page).content.decode()


@pytest.mark.django_db
def test_staff_choose_no_limit_for_themselves() -> None:
    browser(people.VIEWER).post(ADD, WANTED | {"calls_per_minute": "5000"})

    assert AccessKey.objects.get().calls_per_minute is None


@pytest.mark.django_db
def test_a_superuser_changes_the_limit_and_nothing_else() -> None:
    key = people.drawn(people.person(people.VIEWER))
    page = f"{LIST}{key.pk}/change/"
    client = browser(people.SUPERUSER)

    client.post(page, WANTED | {"calls_per_minute": "1000"})

    limited = AccessKey.objects.get()
    assert limited.calls_per_minute == 1000
    [noted] = Activity.objects.of(limited)
    assert (noted.verb, noted.who) == ("key.limited", people.SUPERUSER)
    assert (limited.name, limited.expires_at) == (key.name, key.expires_at)
    assert AccessKey.objects.find(key.plain, at=timezone.now()) == key
    assert "1000, its own" in client.get(LIST).content.decode()
    for value in ("10001", "-1", "x"):
        client.post(page, {"calls_per_minute": value})
        assert AccessKey.objects.get().calls_per_minute == 1000
    client.post(page, {"calls_per_minute": ""})
    assert AccessKey.objects.get().calls_per_minute is None


@pytest.mark.django_db
def test_who_is_not_staff_gets_nowhere() -> None:
    user = people.person(people.VIEWER)
    user.is_staff = False
    user.save()
    client = Client()
    client.force_login(user)

    answers = [client.get(LIST), client.post(ADD, WANTED)]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert not AccessKey.objects.exists()


def test_the_action_names_its_permission() -> None:
    page = admin.site.get_model_admin(AccessKey)

    assert page.revoke.allowed_permissions == ["revoke"]  # type: ignore[attr-defined]
