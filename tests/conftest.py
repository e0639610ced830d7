"""所有测试共用的约定。

Sockets are forbidden (pyproject.toml). A test that talks to a server of its own on this
machine is marked `@pytest.mark.allow_hosts(["127.0.0.1"])`. A connection to MariaDB is
made in C and not affected.

Which database a test runs on is decided here, see `databases`.
"""

from __future__ import annotations

import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.servers.basehttp import WSGIRequestHandler
from django.db import connection
from django.utils import translation
from pytest_django import Settings

from .fixtures import empty_cache, keys, make_token, provider

__all__ = ["empty_cache", "keys", "make_token", "provider"]

SQLITE, MARIADB = "sqlite", "mariadb"
# Tests of these folders run on one database: processes, limits and outages on what
# production has; pages in a browser once, for each has tests of its own on both.
ONCE = {"browser": SQLITE, "e2e": MARIADB}
# Folders whose files are taken whole by one process, and their turn: they wait long, so
# they begin early; those of e2e empty the database.
WHOLE = {"faults": 0, "e2e": 3}
EMPTYING = {"transactional_db", "live_server"}

# The live server sends the head and the body of an answer one after the other; between
# them a client's system may wait 40 ms, which was most of the time of 1,400 calls.
WSGIRequestHandler.disable_nagle_algorithm = True

# A shell starts its background jobs deaf to Ctrl-C, and so would be all that the tests
# start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def databases(item: pytest.Item) -> tuple[str, ...]:
    """一个测试在 `make test` 里跑在哪些库上。

    On both, if it touches a database and neither a marker nor its folder says
    otherwise; what touches none runs beside SQLite.
    """
    for name in ("needs", "runs_on"):
        if marker := item.get_closest_marker(name):
            return marker.args
    if not _touches_a_database(item):
        return (SQLITE,)
    folders = [part for part in item.path.parts if part in ONCE]
    return (ONCE[folders[-1]],) if folders else (SQLITE, MARIADB)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    items: list[pytest.Item],
) -> Generator[None, object, object]:
    """给 `-m sqlite` 和 `-m mariadb` 标上各自的测试,排好先后;缺了所需数据库的不跑。"""
    mysql = "mysql" in settings.DATABASES["default"]["ENGINE"]
    here = MARIADB if mysql else SQLITE
    for item in items:
        for name in databases(item):
            item.add_marker(name)
        if (needs := item.get_closest_marker("needs")) and here not in needs.args:
            item.add_marker(pytest.mark.skip(reason=f"needs {needs.args[0]}"))
    result = yield  # others choose by marker, and shuffle
    items.sort(key=_turn)
    return result


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """几个进程一起跑的时候,怎样分。"""
    from .portions import InTurn  # noqa: PLC0415  # one process alone needs no xdist

    return InTurn(config, log, whole=WHOLE)


def _turn(item: pytest.Item) -> int:
    # What migrations have put into the database is there until the first test that
    # empties it, so all that do come after all that do not.
    whole = [turn for folder, turn in WHOLE.items() if folder in item.path.parts]
    if whole:
        return whole[0]
    if not _touches_a_database(item):
        return 1 if "project" in item.path.parts else 5  # those start processes, too
    if not _empties_the_database(item):
        return 2
    return 3 if item.get_closest_marker("timeout") else 4


def _touches_a_database(item: pytest.Item) -> bool:
    marked = item.get_closest_marker("django_db") is not None
    return marked or not {"db", *EMPTYING}.isdisjoint(_fixtures(item))


def _empties_the_database(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("django_db")
    marked = marker is not None and marker.kwargs.get("transaction", False)
    return marked or not EMPTYING.isdisjoint(_fixtures(item))


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """测试开始之前,断了的数据库连接先挂掉。"""
    _hang_up_if_gone()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    """清理数据库之前也一样。"""
    _hang_up_if_gone()


def _hang_up_if_gone() -> None:
    # MariaDB hangs up on a session that was silent for a minute, and on a busy machine
    # a test may watch its processes for longer. The next question opens another; else
    # all tests to come would fail.
    open_one = connection.connection is not None and not connection.in_atomic_block
    if open_one and not connection.is_usable():
        connection.close()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """每个进程一个测试库;SQLite 的是一个文件,每次运行各用各的。

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
