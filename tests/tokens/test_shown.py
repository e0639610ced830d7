"""给人看的地方:管理页面、系统检查、导出;值从不出现。"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from tests.fixtures import AT
from tokens.checks import check_tokens_can_be_read
from tokens.models import ApiToken

from ..fixtures import MakeToken

pytestmark = pytest.mark.django_db
CANARY = "canary-0123456789-tail"
LIST = "admin:tokens_apitoken_changelist"
CHANGE = "admin:tokens_apitoken_change"


@pytest.fixture
def admin(client: Client) -> Client:
    """登录的超级用户。"""
    client.force_login(User.objects.create_superuser("alice"))
    return client


def test_the_pages_show_the_last_four_characters_only(
    admin: Client, make_token: MakeToken
) -> None:
    token = make_token(value=CANARY, name="main")

    pages = [
        admin.get(reverse(LIST)).content.decode(),
        admin.get(reverse(CHANGE, args=[token.pk])).content.decode(),
        admin.get(reverse(LIST), {"q": "main"}).content.decode(),
    ]

    for page in pages:
        assert "****tail" in page
        assert CANARY not in page
        assert token.token not in page
        assert token.token_digest not in page


def test_a_dump_holds_ciphertext_only(
    make_token: MakeToken, capsys: pytest.CaptureFixture[str]
) -> None:
    token = make_token(value=CANARY)

    call_command("dumpdata", "tokens")

    dump = capsys.readouterr().out
    assert token.token in dump
    assert CANARY not in dump


def test_nothing_logged_while_a_token_is_used_holds_its_value(
    make_token: MakeToken, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    token = make_token(value=CANARY, leased_by="dead", leased_until=AT, reserved=2)
    later = AT + timedelta(seconds=1)

    assert ApiToken.objects.lease(token, owner="run 1", at=AT)
    assert ApiToken.objects.retire(token.pk, reason="401", at=later)

    events = [record.__dict__["event"] for record in caplog.records[-2:]]
    assert events == ["token.lease_taken_over", "token.retired"]
    assert CANARY not in caplog.text


def check() -> list[str | None]:
    return [message.id for message in check_tokens_can_be_read(databases=["default"])]


def test_the_check_is_silent_when_all_tokens_open(make_token: MakeToken) -> None:
    nothing = check()
    make_token()

    assert (nothing, check()) == ([], [])


def test_the_check_fails_when_no_token_opens(
    keys: list[str], settings: Settings, make_token: MakeToken
) -> None:
    make_token()
    settings.TOKEN_ENCRYPTION_KEYS = keys[1:]

    assert check() == ["tokens.E001"]


def test_the_check_warns_when_some_do_not_open(
    keys: list[str], settings: Settings, make_token: MakeToken
) -> None:
    make_token()
    settings.TOKEN_ENCRYPTION_KEYS = keys[1:]
    make_token()

    assert check() == ["tokens.W001"]


def test_the_check_passes_over_deleted_tokens(
    keys: list[str], settings: Settings, make_token: MakeToken
) -> None:
    make_token(deleted=True)
    settings.TOKEN_ENCRYPTION_KEYS = keys[1:]

    assert check() == []


def test_the_check_runs_with_the_database_checks(
    keys: list[str], settings: Settings, make_token: MakeToken
) -> None:
    make_token()
    settings.TOKEN_ENCRYPTION_KEYS = keys[1:]

    with pytest.raises(SystemCheckError, match=r"tokens\.E001"):
        call_command("check", databases=["default"])


def test_no_change_of_the_models_waits_for_a_migration() -> None:
    call_command("makemigrations", "tokens", check=True, dry_run=True, verbosity=0)
