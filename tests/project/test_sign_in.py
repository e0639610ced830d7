"""演示的登录:只在演示自己的库里。"""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from scripts import demo, sign_in
from tests.fixtures import MakeToken
from tokens.models import ApiToken

pytestmark = [pytest.mark.django_db, pytest.mark.needs("sqlite")]
SIMULATED = "http://127.0.0.1:9000"


@pytest.fixture(autouse=True)
def var(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the embedded databases is the one of the test's."""
    folder = sign_in.database().parent
    monkeypatch.setattr(sign_in, "VAR", folder)
    return folder


def test_who_signs_in_with_what_was_said_sees_and_changes_nothing(
    make_token: MakeToken,
) -> None:
    make_token(base_url=SIMULATED)

    sign_in.make()

    client = Client()
    form = {"username": "demo", "password": sign_in.password()}
    assert client.post("/admin/login/", form).status_code == 302
    assert client.get("/admin/").status_code == 200
    assert client.get("/admin/sync/syncrun/start/").status_code == 403
    assert sign_in.password() in sign_in.words()


def test_made_twice_it_is_the_same() -> None:
    sign_in.make()
    sign_in.make()

    assert User.objects.get().check_password(sign_in.password())


def test_another_checkout_has_another_password(settings: Settings) -> None:
    before = sign_in.password()
    settings.SECRET_KEY = "of another checkout"

    assert sign_in.password() != before


@pytest.mark.parametrize("base_url", ["", "https://api.itick.org"])
def test_a_real_token_refuses_it_and_closes_it_where_it_is(
    make_token: MakeToken, base_url: str
) -> None:
    sign_in.make()
    make_token(base_url=base_url)

    with pytest.raises(sign_in.Refused, match="holds tokens of yours"):
        sign_in.make()

    assert sign_in.password() not in sign_in.words()
    form = {"username": "demo", "password": sign_in.password()}
    assert Client().post("/admin/login/", form).status_code == 200


@pytest.mark.parametrize("name", ["anna", "demo"])
def test_somebody_elses_user_refuses_it_and_is_left_alone(name: str) -> None:
    User.objects.create_user(name, password="of their own")

    with pytest.raises(sign_in.Refused, match="users of its own"):
        sign_in.make()

    assert sign_in.password() not in sign_in.words()
    assert User.objects.get().check_password("of their own")
    assert User.objects.get().is_active


def test_another_database_refuses_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sign_in, "VAR", tmp_path)

    with pytest.raises(sign_in.Refused, match="not the demo's database"):
        sign_in.make()

    assert not User.objects.exists()


def test_elsewhere_it_says_where_the_demo_s_data_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sign_in, "VAR", tmp_path)
    before = sign_in.words()
    (tmp_path / "demo.sqlite3").touch()

    assert "make demo" in before
    assert "sqlite:///var/demo.sqlite3 make serve" in sign_in.words()


@pytest.mark.parametrize(
    ("base_url", "own"), [(SIMULATED, False), ("", True), ("https://x.test", True)]
)
@pytest.mark.django_db(transaction=True)
def test_the_demo_takes_a_database_without_real_tokens_only(
    make_token: MakeToken, base_url: str, own: bool
) -> None:
    make_token(base_url=base_url, name="simulated 1")

    assert demo.has_other_tokens(sign_in.database()) is own
    assert ApiToken.objects.count() == 1


def test_the_demo_syncs_up_to_a_day_that_is_over() -> None:
    command = demo.sync_klines("HK")

    start, end = command[-3], command[-1]
    assert start < end
    assert command[:3] == ["sync_klines", "--market", "HK"]
