"""换密钥。"""

from __future__ import annotations

from functools import partial

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from tokens import rotation, secrets
from tokens.models import ApiToken
from tokens.rotation import Rotation, rotate_all

from ..fixtures import MakeToken
from ..racing import at_once


def values() -> list[str]:
    return [token.reveal() for token in ApiToken.objects.order_by("pk")]


@pytest.mark.django_db
def test_after_a_rotation_the_old_key_may_go(
    keys: list[str], settings: Settings, make_token: MakeToken
) -> None:
    make_token(value="first-value"), make_token(value="second-value", deleted=True)
    settings.TOKEN_ENCRYPTION_KEYS = keys[::-1]

    assert rotate_all() == Rotation(rotated=2, current=0, failed=())

    settings.TOKEN_ENCRYPTION_KEYS = keys[1:]
    assert values() == ["first-value", "second-value"]
    digests = secrets.digests("first-value", provider="itick")
    assert ApiToken.objects.get(token_digest__in=digests).last_four == "alue"


@pytest.mark.django_db
def test_rotating_again_changes_nothing(
    keys: list[str], settings: Settings, make_token: MakeToken
) -> None:
    make_token(), make_token()
    settings.TOKEN_ENCRYPTION_KEYS = keys[::-1]
    rotate_all()
    before = list(ApiToken.objects.order_by("pk").values())

    assert rotate_all() == Rotation(rotated=0, current=2, failed=())

    assert list(ApiToken.objects.order_by("pk").values()) == before


@pytest.mark.django_db
def test_an_interrupted_rotation_goes_on(
    keys: list[str],
    settings: Settings,
    make_token: MakeToken,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(3):
        make_token(value=f"value-number-{number}")
    settings.TOKEN_ENCRYPTION_KEYS = keys[::-1]
    replace = rotation._replace

    def interrupted(token: ApiToken, sealed: secrets.Sealed) -> bool:
        monkeypatch.setattr(rotation, "_replace", killed)
        return replace(token, sealed)

    def killed(token: ApiToken, sealed: secrets.Sealed) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(rotation, "_replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rotate_all()
    monkeypatch.undo()
    expected = [f"value-number-{number}" for number in range(3)]
    assert values() == expected

    settings.TOKEN_ENCRYPTION_KEYS = keys[::-1]
    assert rotate_all() == Rotation(rotated=2, current=1, failed=())

    settings.TOKEN_ENCRYPTION_KEYS = keys[1:]
    assert values() == expected


@pytest.mark.django_db
def test_a_row_no_key_opens_is_named_and_left(
    keys: list[str],
    settings: Settings,
    make_token: MakeToken,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lost = make_token(value="lost-value-9", name="lost")
    settings.TOKEN_ENCRYPTION_KEYS = keys[1:]
    make_token(value="kept-value-9")

    with pytest.raises(CommandError) as caught:
        call_command("rotate_token_keys")

    assert caught.value.returncode == 1
    assert f"lost ****ue-9 (id {lost.pk}): No key in" in str(caught.value)
    assert "lost-value-9" not in str(caught.value)
    assert capsys.readouterr().out == "rotated 0, already current 1\n"
    assert ApiToken.objects.get(name="lost").token == lost.token


@pytest.mark.django_db
def test_tells_how_many(
    keys: list[str],
    settings: Settings,
    make_token: MakeToken,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_token()
    settings.TOKEN_ENCRYPTION_KEYS = keys[::-1]
    make_token()

    call_command("rotate_token_keys")

    assert capsys.readouterr().out == "rotated 1, already current 1\n"


@pytest.mark.django_db
def test_a_token_stored_twice_is_named_and_left(
    keys: list[str], settings: Settings, make_token: MakeToken
) -> None:
    make_token(value="twice-value")
    settings.TOKEN_ENCRYPTION_KEYS = keys[::-1]
    make_token(value="twice-value")

    result = rotate_all()

    assert (result.rotated, result.current) == (0, 1)
    assert "the same token is stored twice" in result.failed[0]
    assert values() == ["twice-value"] * 2


@pytest.mark.django_db
def test_a_value_changed_meanwhile_is_not_overwritten(
    keys: list[str],
    settings: Settings,
    make_token: MakeToken,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_token(value="before-value")
    replace = rotation._replace

    def later(token: ApiToken, sealed: secrets.Sealed) -> bool:
        monkeypatch.setattr(rotation, "_replace", replace)
        changed = ApiToken.objects.get()
        changed.set_secret("after-value")
        changed.save()
        return replace(token, sealed)

    settings.TOKEN_ENCRYPTION_KEYS = keys[::-1]
    monkeypatch.setattr(rotation, "_replace", later)

    assert rotate_all() == Rotation(rotated=0, current=1, failed=())

    assert values() == ["after-value"]


@pytest.mark.django_db
def test_a_row_that_is_never_still_is_named(
    keys: list[str],
    settings: Settings,
    make_token: MakeToken,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_token()
    settings.TOKEN_ENCRYPTION_KEYS = keys[::-1]
    monkeypatch.setattr(rotation, "_replace", lambda _token, _sealed: False)

    result = rotate_all()

    assert "keeps being changed" in result.failed[0]


@pytest.mark.django_db(transaction=True)
def test_two_rotations_at_once_rotate_each_row_once(
    keys: list[str], settings: Settings, make_token: MakeToken
) -> None:
    for number in range(5):
        make_token(value=f"value-number-{number}")
    settings.TOKEN_ENCRYPTION_KEYS = keys[::-1]

    results = at_once([partial(rotate_all)] * 3)

    assert sum(result.rotated for result in results) == 5
    assert [result.failed for result in results] == [()] * 3
    assert values() == [f"value-number-{number}" for number in range(5)]
