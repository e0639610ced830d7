"""测试用的 MariaDB 自己也要测。"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import environ
import pytest

from tests import mariadb

COMMAND = [sys.executable, "-m", "tests.mariadb", "--"]
WAITING = [sys.executable, "-c", "print('ready', flush=True); input()"]


def query(server: mariadb.MariaDB, *statements: str) -> list[tuple[Any, ...]]:
    import MySQLdb  # noqa: PLC0415  # a C extension that not every checkout has

    database = environ.Env.db_url_config(server.url("stocksync"))
    connection = MySQLdb.connect(
        host=database["HOST"],
        port=database["PORT"],
        user=database["USER"],
        password=database["PASSWORD"],
        autocommit=True,
    )
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        rows = list(cursor.fetchall())
    connection.close()
    return rows


@pytest.fixture(scope="module")
def server() -> Iterator[mariadb.MariaDB]:
    with mariadb.MariaDB() as made:
        query(made, "CREATE DATABASE kept", "CREATE TABLE kept.numbers (n INT)")
        yield made


def test_the_server_speaks_utf8mb4_and_ignores_case_as_most_do(
    server: mariadb.MariaDB,
) -> None:
    rows = query(server, "SELECT @@character_set_server, '1m' = '1M'")

    assert rows == [("utf8mb4", 1)]


def test_committed_rows_outlive_a_stop_and_a_kill(server: mariadb.MariaDB) -> None:
    port = server.port
    query(server, "INSERT INTO kept.numbers VALUES (1)")
    server.stop()
    server.start()
    query(server, "INSERT INTO kept.numbers VALUES (2)")
    server.kill()
    server.start()

    rows = query(server, "SELECT n FROM kept.numbers ORDER BY n")

    assert rows == [(1,), (2,)]
    assert server.port == port


def test_nobody_comes_in_without_the_password(server: mariadb.MariaDB) -> None:
    import MySQLdb  # noqa: PLC0415

    for user in (mariadb.USER, "root", ""):
        with pytest.raises(MySQLdb.OperationalError):
            MySQLdb.connect(host="127.0.0.1", port=server.port, user=user)


def test_nothing_is_left_after_the_block() -> None:
    with mariadb.MariaDB() as made:
        folder, process = made.folder, made._process

    assert not folder.exists()
    assert process is not None
    assert process.returncode is not None


def test_the_command_sees_the_database_and_its_exit_code_is_passed_on(
    root: Path,
) -> None:
    program = "import os; print(os.environ['DATABASE_URL'][:8]); raise SystemExit(7)"

    done = subprocess.run(
        [*COMMAND, sys.executable, "-c", program],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.returncode) == ("mysql://\n", 7)


def start_waiting(root: Path) -> tuple[subprocess.Popen[str], Path]:
    """The command line, its server up, and the server's folder."""
    process = subprocess.Popen(
        [*COMMAND, *WAITING],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    name = f"{mariadb.PREFIX}{process.pid}-*"
    (folder,) = mariadb.place().glob(name)
    return process, folder


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_removes_server_and_data(root: Path, number: signal.Signals) -> None:
    process, folder = start_waiting(root)

    os.killpg(process.pid, number)
    process.communicate(timeout=60)

    assert process.returncode == 128 + number
    assert not folder.exists()


def test_a_killed_parent_takes_the_server_with_it(root: Path) -> None:
    process, folder = start_waiting(root)
    server = os.pidfd_open(int((folder / "pid").read_text()))

    process.kill()
    process.communicate(timeout=60)

    ended, _, _ = select.select([server], [], [], 60)
    os.close(server)
    assert ended
    mariadb._sweep(folder.parent)
    assert not folder.exists()


def test_a_missing_server_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mariadb, "SBIN", str(tmp_path))

    code = mariadb.main(["--", "true"])

    error = capsys.readouterr().err
    assert code == 1
    assert error.startswith(
        "MariaDB for the tests: mariadb-install-db is not installed"
    )
    assert error.count("\n") == 1


def test_a_server_that_does_not_start_shows_the_end_of_its_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "mariadbd"
    broken.write_text("#!/bin/sh\necho 'no room for the data'\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(mariadb, "SBIN", f"{tmp_path}{os.pathsep}{mariadb.SBIN}")

    code = mariadb.main(["--", "true"])

    error = capsys.readouterr().err
    assert code == 1
    assert "did not start" in error
    assert error.endswith("no room for the data\n")
