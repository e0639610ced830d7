"""create_access_key:建一个访问密钥,只打印这一次。"""

from __future__ import annotations

import io
import logging
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from sync.models import AccessKey
from tests import people

pytestmark = pytest.mark.django_db


def made(user: str, *options: str) -> str:
    out = io.StringIO()
    call_command("create_access_key", user, *options, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_the_key_alone_is_printed_and_good_for_a_year(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    user = people.person()

    printed = made(user.username, "--name", "notebook")

    key = AccessKey.objects.find(printed.removesuffix("\n"), at=timezone.now())
    assert key is not None
    assert (key.user, key.name) == (user, "notebook")
    assert key.expires_at - timezone.now() > timedelta(days=364)
    assert people.with_key(printed.strip()).get("/api/stock/stocks").status_code == 200
    assert key.prefix in caplog.text
    assert printed.strip() not in caplog.text


def test_how_long_it_is_good_may_be_said() -> None:
    made(people.person().username, "--days", "731")

    left = AccessKey.objects.get().expires_at - timezone.now()
    assert timedelta(days=730) < left < timedelta(days=731)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--days", "0"), "1 to 731 days"),
        (("--days", "732"), "1 to 731 days"),
        (("--days", "9" * 30), "1 to 731 days"),
        (("--name", "x" * 101), "100 characters"),
        (("--name", ""), "cannot be blank"),
    ],
)
def test_a_bad_value_is_one_sentence(options: tuple[str, ...], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        made(people.person().username, *options)

    assert not AccessKey.objects.exists()


@pytest.mark.parametrize("taken", ["is_active", "is_staff"])
def test_who_could_not_use_it_gets_none(taken: str) -> None:
    user = people.person()
    setattr(user, taken, False)
    user.save()

    with pytest.raises(CommandError, match="is not active staff"):
        made(user.username)
    with pytest.raises(CommandError, match="There is no user nobody"):
        made("nobody")
