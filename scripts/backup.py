"""备份和恢复数据库,别的程序照常读写。

    python -m scripts.backup save FILE     FILE ends in .sql.gz, or .sqlite3 on SQLite
    python -m scripts.backup load FILE     into a database that is empty

A backup is the database of one moment: K-lines and their coverage, which are written in
one transaction, fit each other. It holds no key: keep `.env`, and elsewhere.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import django
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection

PRIVATE = 0o077  # umask: password hashes and sessions are in it
DUMP = ("mariadb-dump", "mysqldump")
CLIENT = ("mariadb", "mysql")
# One snapshot, no table locked, row by row, and nothing that needs more than SELECT.
OPTIONS = ["--single-transaction", "--quick", "--no-tablespaces", "--hex-blob"]


def main(arguments: Sequence[str] | None = None) -> int:
    """命令行入口;说得出的错误是一句话,退出码是 1。"""
    parser = argparse.ArgumentParser(prog="python -m scripts.backup")
    parser.add_argument("what", choices=["save", "load"])
    parser.add_argument("file", type=Path)
    options = parser.parse_args(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stocksync_site.settings")
    os.umask(PRIVATE)
    try:
        django.setup()
        {"save": save, "load": load}[options.what](options.file)
    except (ImproperlyConfigured, DatabaseError, sqlite3.Error, OSError) as error:
        fail(str(error.args[-1] if error.args else error))
    return 0


def fail(words: str) -> NoReturn:
    """说一句话,以退出码 1 结束。"""
    sys.exit(f"backup: {words.rstrip('.')}.")


def save(path: Path) -> None:
    """备份到一个还没有的文件;写完了才有这个名字。"""
    suits(path)
    if path.exists():
        fail(f"{path} exists already")
    part = path.with_name(f"{path.name}.part")
    try:
        _save_sqlite(part) if is_sqlite() else _save_mysql(part)
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    print(f"{path}: {path.stat().st_size:,} bytes. Keep .env, too, and elsewhere.")


def load(path: Path) -> None:
    """恢复到一个空的数据库。"""
    suits(path)
    if connection.introspection.table_names():
        fail("the database is not empty; name another one in DATABASE_URL")
    _load_sqlite(path) if is_sqlite() else _load_mysql(path)
    print("Restored. Now run manage.py migrate, and manage.py check.")


def is_sqlite() -> bool:
    """数据库是不是 SQLite。"""
    return connection.vendor == "sqlite"


def suits(path: Path) -> None:
    """拒绝名字和数据库不合的文件。"""
    ending = ".sqlite3" if is_sqlite() else ".sql.gz"
    if not path.name.endswith(ending):
        fail(f"the file's name has to end in {ending}, for such is the database")


def _save_sqlite(path: Path) -> None:
    source = connection.settings_dict["NAME"]
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as database,
        closing(sqlite3.connect(path)) as copy,
    ):
        database.backup(copy)


def _load_sqlite(path: Path) -> None:
    connection.close()
    with (
        closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as backup,
        closing(sqlite3.connect(connection.settings_dict["NAME"])) as database,
    ):
        backup.backup(database)


def _save_mysql(path: Path) -> None:
    command, variables = _client(DUMP, OPTIONS)
    with (
        gzip.open(path, "wb", compresslevel=3) as file,
        subprocess.Popen(command, stdout=subprocess.PIPE, env=variables) as dump,
    ):
        assert dump.stdout
        shutil.copyfileobj(dump.stdout, file, 1024**2)
    if dump.returncode:
        fail(f"{command[0]} ended with code {dump.returncode}")


def _check_whole(path: Path) -> None:
    """Before anything is loaded: half of a backup must not look like a database."""
    try:
        with gzip.open(path) as file:
            while file.read(1024**2):
                pass
    except (EOFError, zlib.error, gzip.BadGzipFile):
        fail(f"{path} is not whole, and nothing was restored")


def _load_mysql(path: Path) -> None:
    _check_whole(path)
    command, variables = _client(CLIENT, [])
    with (
        gzip.open(path) as file,
        subprocess.Popen(command, stdin=subprocess.PIPE, env=variables) as client,
    ):
        assert client.stdin
        shutil.copyfileobj(file, client.stdin, 1024**2)
    if client.returncode:
        fail(f"{command[0]} ended with code {client.returncode}")


def _client(
    names: Sequence[str], options: list[str]
) -> tuple[list[str], dict[str, str]]:
    """Django's own arguments; the password goes by the environment."""
    program = next(filter(None, map(shutil.which, names)), None)
    if not program:
        fail(f"{names[0]} is not installed; Debian has it in mariadb-client")
    client: Any = connection.client
    (_name, *arguments), variables = client.settings_to_cmd_args_env(
        connection.settings_dict, []
    )
    return [program, *arguments, *options], os.environ | (variables or {})


if __name__ == "__main__":
    sys.exit(main())
