"""每个表都是 utf8mb4,不管数据库默认是什么。"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection

from common.commands import sentence
from stocksync_site import charset
from tests.rows import on_mariadb

# migrate without what makes the tables utf8mb4: as earlier versions did.
EARLIER = """
import django
django.setup()
from django.core.management import call_command
from django.db.models.signals import pre_migrate
pre_migrate.receivers.clear()
call_command("migrate", verbosity=0)
"""
NAMES = "HK,700,腾讯控股 🚀\nUS,BRK.B,Crédit\n"
UNFIT = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = '{0}' AND character_set_name <> 'utf8mb4'
UNION SELECT table_name, table_collation FROM information_schema.tables
WHERE table_schema = '{0}' AND table_collation NOT LIKE 'utf8mb4%'
"""
BINARY = """
SELECT COUNT(*) FROM information_schema.columns
WHERE table_schema = '{0}' AND collation_name = 'utf8mb4_bin'
"""


@dataclass(frozen=True)
class Database:
    """测试服务器上的一个库,默认的字符集不同。"""

    root: Path
    name: str

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        server = os.environ["DATABASE_URL"].rpartition("/")[0]
        variables = {
            "DATABASE_URL": f"{server}/{self.name}",
            "DJANGO_SETTINGS_MODULE": "stocksync_site.settings",
        }
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env=os.environ | variables,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def manage(self, *arguments: str, stdin: str = "") -> str:
        done = self.run("manage.py", *arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def rows(self, query: str) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(query.format(self.name))
            return list(cursor.fetchall())


@pytest.fixture
def database(
    request: pytest.FixtureRequest, root: Path, db: None
) -> Iterator[Database]:
    made = Database(root, f"charset_{request.param}")
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {made.name} CHARACTER SET {request.param}")
    yield made
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {made.name}")


@on_mariadb
@pytest.mark.parametrize("database", ["latin1"], indirect=True)
def test_a_new_database_takes_every_text(database: Database) -> None:
    database.manage("migrate", "--verbosity=0")

    assert database.rows(UNFIT) == []
    assert "no issues" in database.manage("check", "--database", "default")
    said = database.manage(
        "import_stocks", "-", stdin=f"market,stock_code,stock_name\n{NAMES}"
    )
    assert said.startswith("created 2")
    names = database.rows("SELECT stock_name FROM {0}.stk_stock_info ORDER BY id")
    assert names == [("腾讯控股 🚀",), ("Crédit",)]


@on_mariadb
@pytest.mark.parametrize("database", ["utf8mb3"], indirect=True)
def test_an_older_database_is_converted_and_keeps_what_it_holds(
    database: Database,
) -> None:
    assert database.run("-c", EARLIER).returncode == 0
    binary = database.rows(BINARY)
    insert = (
        "INSERT INTO {0}.stk_stock_info (market, stock_code, stock_name, exchange,"
        " deleted, created_at, updated_at)"
        " VALUES ('US', 'x', '小', '', 0, NOW(), NOW()),"
        " ('US', 'X', 'Große', '', 0, NOW(), NOW())"
    )
    with connection.cursor() as cursor:
        cursor.execute(insert.format(database.name))
        cursor.execute(f"CREATE TABLE {database.name}.theirs (t TEXT)")
    caution = database.manage("check", "--database", "default")
    refused = database.run(
        *("manage.py", "import_stocks", "-"),
        stdin=f"market,stock_code,stock_name\n{NAMES}",
    )

    database.manage("migrate", "--verbosity=0")

    assert "stocksync.W003) These tables are not utf8mb4: auth_group, " in caution
    assert "stk_stock_info" in caution
    assert refused.returncode == 1
    assert "manage.py migrate" in refused.stderr
    assert "server runs" not in refused.stderr
    assert {table for table, _what in database.rows(UNFIT)} == {"theirs"}
    assert database.rows(BINARY) == binary
    assert "no issues" in database.manage("check", "--database", "default")
    found = database.rows("SELECT stock_code, stock_name FROM {0}.stk_stock_info")
    assert sorted(found) == [("X", "Große"), ("x", "小")]
    database.manage(
        "import_stocks", "-", stdin=f"market,stock_code,stock_name\n{NAMES}"
    )


@on_mariadb
@pytest.mark.django_db(transaction=True)
def test_a_code_column_without_its_collation_is_told() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE stk_kline_coverage MODIFY period VARCHAR(5) NOT NULL"
        )
        try:
            (caution,) = charset.check(None, databases=["default"])
        finally:
            cursor.execute(
                "ALTER TABLE stk_kline_coverage"
                " MODIFY period VARCHAR(5) COLLATE utf8mb4_bin NOT NULL"
            )

    assert caution.id == "stocksync.W004"
    assert "stk_kline_coverage.period" in caution.msg


@pytest.mark.django_db
def test_a_database_as_it_should_be_has_nothing_to_tell() -> None:
    assert charset.check(None, databases=["default"]) == []


def test_a_text_that_does_not_fit_is_not_called_a_server_that_is_away() -> None:
    error = OperationalError(1366, "Incorrect string value: '\\xE8' for column 'n'")

    said = sentence(error)

    assert "manage.py migrate" in said
    assert "server runs" not in said
