"""加密、摘要和掩码。"""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from tokens import secrets
from tokens.models import ApiToken

VALUE = "canary-5f3a9c-value"


def sealed(value: str = VALUE) -> ApiToken:
    token = ApiToken(name="main")
    token.set_secret(value)
    return token


def test_a_value_comes_back_as_it_went_in() -> None:
    token = sealed()

    assert token.reveal() == VALUE
    assert token.last_four == "alue"
    assert len(token.token_digest) == 64


def test_the_stored_columns_do_not_hold_the_value() -> None:
    token = sealed()

    stored = " ".join(str(value) for value in vars(token).values())

    assert VALUE not in stored


def test_text_and_repr_show_the_last_four_characters_only() -> None:
    token = sealed()

    shown = f"{token} {token!r} {secrets.seal(VALUE, provider='itick')!r}"

    assert "main ****alue" in shown
    assert VALUE not in shown
    assert VALUE[:-4] not in shown


@pytest.mark.parametrize(
    "value",
    [
        "",
        "short77",
        "with space",
        "tab\there",
        "newline\nhere",
        "é-accented",
        "a" * 501,
        "bell\x07bell",
        "delete\x7fdelete",
        "中文中文中文中文中",
    ],
)
def test_a_value_that_no_header_can_carry_is_refused(value: str) -> None:
    token = ApiToken()

    with pytest.raises(secrets.BadSecret) as caught:
        token.set_secret(value)

    assert not value or value not in str(caught.value)
    assert token.token == ""


def test_the_shortest_and_the_longest_value_are_taken() -> None:
    assert sealed("12345678").reveal() == "12345678"
    assert sealed("a" * 500).reveal() == "a" * 500


def test_the_same_value_has_the_same_digest_and_another_ciphertext() -> None:
    one, other = sealed(), sealed()

    assert one.token_digest == other.token_digest
    assert one.token != other.token


def test_the_digest_depends_on_the_value_the_provider_and_the_key(
    keys: list[str], settings: Settings
) -> None:
    first = secrets.digests(VALUE, provider="itick")
    settings.TOKEN_ENCRYPTION_KEYS = keys

    both = secrets.digests(VALUE, provider="itick")
    others = secrets.digests(VALUE, provider="other")
    another = secrets.digests(VALUE + "x", provider="itick")

    assert both[:1] == first
    assert len({*both, *others, *another}) == 6


def test_a_wrong_key_is_a_typed_error_without_the_value(
    keys: list[str], settings: Settings
) -> None:
    token = sealed()
    before = dict(vars(token))
    settings.TOKEN_ENCRYPTION_KEYS = keys[1:]

    with pytest.raises(secrets.WrongKey, match="TOKEN_ENCRYPTION_KEYS") as caught:
        token.reveal()

    assert VALUE not in str(caught.value)
    assert vars(token) == before


def test_an_older_key_still_opens(keys: list[str], settings: Settings) -> None:
    token = sealed()

    settings.TOKEN_ENCRYPTION_KEYS = keys[::-1]

    assert token.reveal() == VALUE


@pytest.mark.parametrize("damaged", ["", "not a ciphertext", "é中", "gAAAAAB"])
def test_damaged_ciphertext_is_a_typed_error(damaged: str) -> None:
    token = sealed()
    token.token = damaged

    with pytest.raises(secrets.WrongKey):
        token.reveal()


def test_a_ciphertext_moved_to_another_row_is_noticed() -> None:
    token, other = sealed(), sealed("another-value-1")
    other.token = token.token

    with pytest.raises(secrets.ForeignSecret):
        other.reveal()


def test_a_ciphertext_moved_to_another_provider_is_noticed() -> None:
    token = sealed()
    token.provider = "other"

    with pytest.raises(secrets.ForeignSecret):
        token.reveal()


@pytest.mark.parametrize("plaintext", [b"bare-value-123", b"7", b"[]", b'["itick"]'])
def test_a_plaintext_of_another_program_is_noticed(
    plaintext: bytes, keys: list[str]
) -> None:
    token = sealed()
    token.token = Fernet(keys[0]).encrypt(plaintext).decode()

    with pytest.raises(secrets.ForeignSecret) as caught:
        token.reveal()

    assert caught.value.__cause__ is None


def test_a_key_that_is_none_is_named_by_number_only(
    keys: list[str], settings: Settings
) -> None:
    settings.TOKEN_ENCRYPTION_KEYS = [keys[0], "not-a-fernet-key"]

    with pytest.raises(ImproperlyConfigured, match="Key 2") as caught:
        sealed()

    assert "not-a-fernet-key" not in str(caught.value)


def test_no_key_at_all_is_an_error(settings: Settings) -> None:
    settings.TOKEN_ENCRYPTION_KEYS = []

    with pytest.raises(ImproperlyConfigured, match="holds no key"):
        sealed()
