"""Who may be sent a token: one rule, whichever door an address comes in by."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from django.conf import settings as live
from django.core.exceptions import ValidationError
from django.utils import translation
from pytest_django import Settings

from common.hosts import HostRefused, permitted_host
from stocksync_site import checks
from sync.engine.errors import TokenFault, TokenRejected
from sync.engine.ports import PageRequest, Secret, Token
from sync.providers.itick import ItickClient
from tokens.importing.values import parse_base_url
from tokens.validation import allowed_hosts, validate_base_url

SOUND = {
    "https://api.itick.org": "api.itick.org",
    "https://API.iTick.org/": "api.itick.org",
    "https://api.itick.org:8443/v1": "api.itick.org",
    "http://127.0.0.1:9000": "127.0.0.1",
    "http://localhost:9000": "localhost",
    "http://[::1]:9000": "[::1]",
    "https://127.0.0.1": "127.0.0.1",
    "https://[2001:db8::1]": "[2001:db8::1]",
}
UNSOUND = [
    "https://evil.test",
    "http://api.itick.org",
    "https://api.itick.org.evil.test",
    "http://127.0.0.1.evil.test",
    "http://10.0.0.1",
    "https://169.254.169.254",
    "https://api.itick.org@evil.test",
    "https://user:pass@api.itick.org",
    "https://evil.test\\@api.itick.org",
    "https://evil.test#@api.itick.org",
    "https://api.itick.org#x",
    "https://api.itick.org?x=",
    "https://api.itick.org:99999",
    "https://api.itick.org:0",
    "https://api.itick.org:port",
    "https://api.itick.org\n",
    "https://api.itick.org/a%20b",
    "https://api.itick.org/a b",
    "https://api.itick.org//x",
    "https://api.itick.org\u3002evil.test",
    "https://[::1",
    "https://",
    "HTTPS://api.itick.org",
    "ftp://api.itick.org",
    "file://localhost/etc",
    "api.itick.org",
]
Door = Callable[[str], bool]


def through_the_form(url: str) -> bool:
    with suppress(ValidationError):
        validate_base_url(url)
        return True
    return False


def through_the_file(url: str) -> bool:
    with suppress(ValueError):
        parse_base_url(url)
        return True
    return False


def through_the_client(url: str) -> bool:
    """一个没有请求头装得下的值:地址对的话,下一个就是它被拒绝,什么也不发。"""
    client = ItickClient(allowed_hosts=allowed_hosts())
    token = Token(1, "t", Secret("two words"), url, 0)
    with pytest.raises(TokenFault) as refused:
        client.fetch(token, PageRequest("HK", "700", "day", 0, 1))
    client.close()
    return isinstance(refused.value, TokenRejected)


def through_the_settings(url: str) -> bool:
    live.ITICK_BASE_URL = url
    return not list(checks.base_url())


DOORS = [through_the_form, through_the_file, through_the_client, through_the_settings]


@pytest.fixture(autouse=True)
def _allowed(settings: Settings) -> None:
    settings.ITICK_BASE_URL = "https://api.itick.org"
    settings.ITICK_ALLOWED_HOSTS = ["api.itick.org", "2001:db8::1"]


@pytest.mark.parametrize(("base_url", "host"), SOUND.items())
def test_allowed_hosts_and_loopback_are_permitted(base_url: str, host: str) -> None:
    assert permitted_host(base_url, allowed=allowed_hosts()) == host


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("base_url", SOUND)
def test_what_one_door_lets_in_every_door_lets_in(base_url: str, door: Door) -> None:
    assert door(base_url)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("base_url", UNSOUND)
def test_what_one_door_refuses_every_door_refuses(base_url: str, door: Door) -> None:
    assert not door(base_url)


@pytest.mark.parametrize("base_url", [*UNSOUND, ""])
def test_a_refusal_says_what_to_mend_and_never_repeats_the_address(
    base_url: str,
) -> None:
    with pytest.raises(HostRefused) as caught:
        permitted_host(base_url, allowed=allowed_hosts())

    assert str(caught.value).startswith(("The base URL", "Write the base URL"))
    assert "evil" not in str(caught.value)


def test_the_form_refuses_in_the_readers_language() -> None:
    with translation.override("zh-hans"), pytest.raises(ValidationError) as caught:
        validate_base_url("https://evil.test")

    assert "ITICK_ALLOWED_HOSTS" in caught.value.messages[0]
    assert "The base URL" not in caught.value.messages[0]


def test_the_host_of_the_usual_address_is_allowed(settings: Settings) -> None:
    settings.ITICK_BASE_URL = "https://Own.example:8443"

    assert allowed_hosts() == {"api.itick.org", "2001:db8::1", "own.example"}


def test_an_address_of_the_settings_that_cannot_be_read_allows_nobody(
    settings: Settings,
) -> None:
    settings.ITICK_BASE_URL = "http://[broken"

    assert allowed_hosts() == {"api.itick.org", "2001:db8::1"}
