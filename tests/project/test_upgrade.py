"""升级、备份、恢复:每一个发布过的版本的数据库,什么也不丢。"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from tests.rows import MARIADB

# Two processes of a test run may each need them, on one server.
NAMES = (f"stocksync_upgraded_{os.getpid()}", f"stocksync_restored_{os.getpid()}")
Rows = dict[str, list[Any]]


def url(name: str, folder: Path) -> str:
    """DATABASE_URL of a database of our own."""
    if MARIADB:
        return f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{name}"
    return f"sqlite:///{folder / name}"


def contents(name: str, folder: Path) -> Rows:
    """Every row of every table."""
    if not MARIADB:
        with closing(sqlite3.connect(folder / name)) as database:
            tables = database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            ).fetchall()
            return {
                table: sorted(map(repr, database.execute(f"SELECT * FROM {table}")))
                for (table,) in tables
            }
    found: Rows = {}
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW TABLES FROM {name}")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT * FROM {name}.{table}")
            found[table] = sorted(map(repr, cursor.fetchall()))
    return found


def run(
    root: Path, database: str, *words: str | Path
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=root,
        env=os.environ | {"DATABASE_URL": database},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Path]:
    """A folder; on MariaDB, the two databases, empty."""
    with django_db_blocker.unblock():
        for name in NAMES if MARIADB else ():
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {name}")
        yield tmp_path_factory.mktemp("upgrade")
        for name in NAMES if MARIADB else ():
            with connection.cursor() as cursor:
                cursor.execute(f"DROP DATABASE {name}")


@pytest.fixture(scope="module")
def upgraded(folder: Path, root: Path) -> str:
    """A database that has come the whole way, with rows of every version."""
    database = url(NAMES[0], folder)
    done = run(root, database, "tests.upgrade", "--klines", "2500")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["klines"] == 2500
    return database


@pytest.mark.timeout(300)
@pytest.mark.django_db
def test_rows_of_every_earlier_state_arrive(upgraded: str, folder: Path) -> None:
    found = contents(NAMES[0], folder)

    assert [name for name, rows in found.items() if "stk_" in name and not rows] == []


@pytest.mark.timeout(300)
@pytest.mark.django_db
def test_a_backup_restores_every_row(upgraded: str, folder: Path, root: Path) -> None:
    restored = url(NAMES[1], folder)
    file = folder / ("backup.sql.gz" if MARIADB else "backup.sqlite3")

    saved = run(root, upgraded, "scripts.backup", "save", file)
    cut = file.with_name(f"cut-{file.name}")
    cut.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    broken = run(root, restored, "scripts.backup", "load", cut)
    loaded = run(root, restored, "scripts.backup", "load", file)
    again = run(root, restored, "scripts.backup", "load", file)
    other = run(root, restored, "scripts.backup", "save", folder / "backup.zip")

    assert saved.returncode == 0, saved.stderr
    assert file.stat().st_mode & 0o077 == 0
    assert broken.returncode == 1
    assert broken.stderr.startswith("backup: ")
    assert broken.stderr.count("\n") == 1
    assert loaded.returncode == 0, loaded.stderr
    assert contents(NAMES[1], folder) == contents(NAMES[0], folder)
    assert len(contents(NAMES[1], folder)["stk_kline"]) > 2500
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("backup: the database is not empty")
    assert other.returncode == 1
    assert other.stderr.startswith("backup: the file's name has to end in .sq")
