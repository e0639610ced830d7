"""所有测试共用的约定。

Sockets are forbidden (pyproject.toml). A test that talks to a server of its own on this
machine is marked `@pytest.mark.allow_hosts(["127.0.0.1"])`. A connection to MariaDB is
made in C and not affected.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation
from pytest_django import Settings

from .fixtures import keys, make_token, provider

__all__ = ["keys", "make_token", "provider"]

# A shell starts its background jobs deaf to Ctrl-C, and so would be all that the tests
# start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """SQLite 的测试库是一个文件,每次运行各用各的。

    In memory, threads are told "table is locked" at once, and a second process sees
    nothing. Two runs on one checkout must not share a file either.
    """
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        folder = tmp_path_factory.mktemp("database")
        database["TEST"] |= {"NAME": str(folder / "test.sqlite3")}


@pytest.fixture(autouse=True)
def _language() -> None:
    """A page asked for in Chinese leaves its thread in Chinese."""
    translation.deactivate()


@pytest.fixture(autouse=True)
def _static_files_unread(settings: Settings) -> None:
    """Each test client would read through all static files, as each web process does.

    The server that a browser sees begins before this, and reads them.
    """
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture(scope="session")
def root() -> Path:
    """项目的根目录。"""
    return Path(__file__).resolve().parent.parent
