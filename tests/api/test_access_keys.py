"""访问密钥:只存摘要,会过期,能撤销。"""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from sync.models import AccessKey
from sync.models.access import SHAPE
from tests import people

from . import rows

PATH = "/api/stock/sync/failure/list"
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def key(db: None) -> AccessKey:
    """能看的人的密钥。"""
    return people.drawn(people.person())


def test_a_key_begins_with_what_may_be_seen_and_is_stored_nowhere(
    key: AccessKey,
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM stk_access_key")
        stored = str(cursor.fetchall())

    assert SHAPE.fullmatch(key.plain)
    assert key.plain.startswith(f"{key.prefix}.")
    assert key.plain not in stored
    assert key.plain.partition(".")[2] not in stored
    assert key.prefix in stored
    assert key.plain not in repr(key)
    assert AccessKey.objects.get().plain == ""


def test_two_keys_are_never_alike(key: AccessKey) -> None:
    assert people.drawn(key.user).plain != key.plain


def test_a_key_is_found_by_itself_alone(key: AccessKey) -> None:
    at = timezone.now()
    last = "A" if key.plain[-1] != "A" else "B"

    assert AccessKey.objects.find(key.plain, at=at) == key
    for other in (
        key.plain[:-1] + last,
        key.plain[:-1],
        key.plain.swapcase(),
        key.prefix,
        key.digest,
        f"{key.plain} ",
        "",
        "é" * 52,
    ):
        assert AccessKey.objects.find(other, at=at) is None


def test_the_right_one_of_two_with_the_same_beginning_is_found(
    key: AccessKey,
) -> None:
    other = people.drawn(people.person(people.OPERATOR))
    AccessKey.objects.update(prefix=key.prefix)
    AccessKey.objects.filter(pk=other.pk).update(digest="0" * 64)

    assert AccessKey.objects.find(key.plain, at=timezone.now()) == key


def test_a_key_is_valid_until_the_moment_it_expires(key: AccessKey) -> None:
    find = AccessKey.objects.find

    assert find(key.plain, at=key.expires_at - SECOND) == key
    assert find(key.plain, at=key.expires_at) is None


def test_a_revoked_key_stays_revoked_since_the_first_time(key: AccessKey) -> None:
    at = timezone.now()

    assert AccessKey.objects.revoke(at=at) == 1
    assert AccessKey.objects.revoke(at=at + SECOND) == 0
    assert AccessKey.objects.get().revoked_at == at
    assert AccessKey.objects.find(key.plain, at=at) is None


def test_its_use_is_noted_once_a_minute(key: AccessKey) -> None:
    at = timezone.now()
    note = AccessKey.objects.note_use

    assert note(key, at=at)
    assert not note(key, at=at + MINUTE - SECOND)  # as it was read: the UPDATE tests
    key.refresh_from_db()
    assert key.last_used_at == at
    assert not note(key, at=at + MINUTE - SECOND)
    assert note(key, at=at + MINUTE)


def test_a_call_costs_one_query_for_the_key_and_a_write_a_minute(
    key: AccessKey, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = people.with_key(key.plain)

    # Key with user, its use, two for permissions; count.
    with django_assert_num_queries(5):
        assert client.get(PATH).status_code == 200
    with django_assert_num_queries(4):
        assert client.get(PATH).status_code == 200


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer x", "bearer a.b", "Bearer é", "Basic dTpw", "x"],
)
def test_whatever_else_is_sent_is_refused_alike(db: None, header: str) -> None:
    client = people.caller(people.ANONYMOUS)

    answer = client.get(PATH, HTTP_AUTHORIZATION=header)

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"


def test_the_word_bearer_may_be_written_in_any_case(key: AccessKey) -> None:
    client = people.caller(people.ANONYMOUS)

    answer = client.get(PATH, HTTP_AUTHORIZATION=f"BEARER {key.plain}")

    assert answer.status_code == 200


def test_a_bad_key_is_refused_in_spite_of_a_session(db: None) -> None:
    client = people.signed_in()

    assert client.get(PATH, HTTP_AUTHORIZATION="Bearer x").status_code == 401


def test_a_key_loses_what_its_user_loses(key: AccessKey) -> None:
    client = people.with_key(key.plain)
    before = client.get(PATH).status_code

    key.user.groups.clear()

    assert (before, client.get(PATH).status_code) == (200, 403)


@pytest.mark.parametrize("taken", ["is_active", "is_staff"])
@pytest.mark.parametrize("path", [PATH, "/api/schema", "/metrics"])
def test_a_key_ends_with_its_person(key: AccessKey, taken: str, path: str) -> None:
    client = people.with_key(key.plain)
    before = client.get(path).status_code

    User.objects.filter(pk=key.user.pk).update(**{taken: False})

    assert (before, client.get(path).status_code) == (200, 401)


def test_no_answer_and_no_log_shows_a_key(
    key: AccessKey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    rows.failure()

    good = people.with_key(key.plain).get(PATH)
    AccessKey.objects.revoke(at=timezone.now())
    bad = people.with_key(key.plain).get(PATH)

    said = good.content + bad.content + str(bad.headers).encode()
    assert bad.status_code == 401
    assert key.plain.encode() not in said
    assert caplog.text
    assert key.plain not in caplog.text
