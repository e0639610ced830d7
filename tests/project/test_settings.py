"""坏的设置:一句话,退出码 1,没有堆栈。"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from stocksync_site import settings as module


def manage(root: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=root,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DJANGO_SECRET_KEY", ""),
        ("TOKEN_ENCRYPTION_KEYS", ""),
        ("STOCK_SYNC_MAX_THREADS", "abc"),
        ("DATABASE_URL", "garbage"),
        ("LOG_LEVEL", "loud"),
        ("Q_BROKER_URL", "amqp://localhost"),
        ("ALERT_QUIET_HOURS", "at night"),
        ("EMAIL_URL", "pigeon://user:secret@example.org"),
    ],
)
def test_a_bad_value_is_one_sentence_that_names_the_variable(
    root: Path, name: str, value: str
) -> None:
    code, out, error = manage(root, "check", **{name: value})

    assert code == 1
    assert out == ""
    assert error.startswith(f"Configuration error: {name} ")
    assert error.count("\n") == 1


def test_the_address_of_a_webhook_is_not_shown_where_it_is_refused(root: Path) -> None:
    good = "https://example.org/"
    code, _, error = manage(root, "check", ALERT_WEBHOOKS=f"{good},ftp://the-secret/")

    assert code == 1
    assert error.startswith("Configuration error: Address 2 of ALERT_WEBHOOKS is no")
    assert "the-secret" not in error


def test_a_command_of_ours_says_it_as_well(root: Path) -> None:
    code, _, error = manage(root, "no_such_command", DJANGO_DEBUG="banana")

    assert code == 1
    assert (
        error == "Configuration error: DJANGO_DEBUG must be on or off, not 'banana'.\n"
    )


def test_fewer_exports_than_none_are_left_to_the_checks(root: Path) -> None:
    code, _, error = manage(root, "check", API_EXPORTS_AT_ONCE="-1")

    assert code == 1
    assert "API_EXPORTS_AT_ONCE is -1." in error
    assert "Traceback" not in error


def test_traceback_shows_where_a_bad_value_was_met(root: Path) -> None:
    code, _, error = manage(root, "check", "--traceback", DJANGO_DEBUG="banana")

    assert code == 1
    assert "Traceback" in error


def test_secure_cookies_satisfy_the_checks_for_deployment(root: Path) -> None:
    arguments = ("check", "--deploy", "--fail-level", "WARNING")

    with_cookies = manage(root, *arguments, DJANGO_SECURE_COOKIES="on")
    without = manage(root, *arguments, DJANGO_SECURE_COOKIES="off")

    assert with_cookies[0] == 0, with_cookies[2]
    assert without[0] == 1
    assert "SESSION_COOKIE_SECURE" in without[2]


@pytest.mark.parametrize(
    "url",
    [
        "mysql://user:hunter2@host:port/name",
        "mysql://user:hunter2@host:3306/",
        "mysql://user:hunter2@[host/name",
        "sqlite://:memory:",
        "sqlite:///",
        "sqlite:///var/%00.sqlite3",
        "postgres://user:hunter2@host/name",
    ],
)
def test_a_bad_database_url_is_refused_and_its_password_not_shown(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)

    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL") as caught:
        module._database()

    assert "hunter2" not in str(caught.value)


def test_mysql_without_its_driver_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://user:password@localhost/name")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(ImproperlyConfigured, match=r"requirements-mysql\.txt"):
        module._database()


def test_mysql_is_utf8mb4_in_utc_and_never_waits_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://user:p%40ss@db.example:3307/name")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())

    database = module._database()

    assert database["PASSWORD"] == "p@ss"
    assert (database["HOST"], database["PORT"], database["NAME"]) == (
        "db.example",
        3307,
        "name",
    )
    assert database["OPTIONS"]["charset"] == "utf8mb4"
    assert "time_zone='+00:00'" in database["OPTIONS"]["init_command"]
    assert {"connect_timeout", "read_timeout", "write_timeout"} <= set(
        database["OPTIONS"]
    )
    assert database["TEST"]["CHARSET"] == "utf8mb4"


def test_a_relative_sqlite_file_lies_under_the_project(
    monkeypatch: pytest.MonkeyPatch, root: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///var/other.sqlite3")
    relative = module._database()
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/a folder/x%25.sqlite3")
    absolute = module._database()

    assert relative["NAME"] == str(root / "var/other.sqlite3")
    assert absolute["NAME"] == str(tmp_path / "a folder/x%.sqlite3")
    assert (tmp_path / "a folder").is_dir()


def test_a_blank_variable_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCK_SYNC_QUEUE_SIZE", " ")

    assert module._integer("STOCK_SYNC_QUEUE_SIZE", 1000) == 1000


def test_the_host_of_the_base_url_is_allowed_by_default(root: Path) -> None:
    code, _, error = manage(
        root,
        "check",
        ITICK_BASE_URL="https://proxy.example/itick",
        ITICK_ALLOWED_HOSTS="",
    )

    assert code == 0, error
