"""MySQL 和 MariaDB 的字符集:每个表都是 utf8mb4,不管数据库默认是什么。

`CREATE DATABASE` without more takes the server's default, and on many servers that is
latin1 or utf8mb3: a Chinese name or an emoji is then refused years later. So `migrate`
begins with it, and a system check tells of what does not fit.

Only the tables of our models, Django's and django-q2's are touched: a database may hold
tables of other programs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage
from django.core.checks import Warning as Caution
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

CHARSET = "utf8mb4"
BINARY = "utf8mb4_bin"
DATABASE = "SELECT @@character_set_database"
# A table's own character set is that of the columns to come.
TABLES = """
SELECT table_name FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'
  AND table_collation NOT LIKE 'utf8mb4%'
"""
COLUMNS = """
SELECT table_name, column_name, column_type FROM information_schema.columns
WHERE table_schema = DATABASE() AND character_set_name <> 'utf8mb4'
"""
COLLATIONS = """
SELECT table_name, column_name, collation_name FROM information_schema.columns
WHERE table_schema = DATABASE() AND collation_name IS NOT NULL
"""
MIGRATIONS = "django_migrations"
WORDS = re.compile(r"( CHARACTER SET \w+)?( COLLATE \w+)?")
LIST = ", "

# Column and type, of the columns whose text has to be rewritten.
Columns = dict[str, str]


def convert(using: str, **_: Any) -> None:
    """把数据库和我们的表换成 utf8mb4;`migrate` 开始时调用。

    Tables that hold no text in another character set are not rewritten, however large
    they are. CONVERT TO CHARACTER SET is of no use here: it gives every column the
    default collation, the codes too.
    """
    connection = connections[using]
    if connection.vendor != "mysql":
        return
    with connection.cursor() as cursor:
        cursor.execute(DATABASE)
        if cursor.fetchone() != (CHARSET,):
            name = connection.ops.quote_name(connection.settings_dict["NAME"])
            cursor.execute(f"ALTER DATABASE {name} CHARACTER SET {CHARSET}")
        for table, columns in _unfit(connection).items():
            cursor.execute(_conversion(connection, table, columns))


def check(
    app_configs: Sequence[AppConfig] | None,
    databases: Sequence[str] | None = None,
    **_: Any,
) -> list[CheckMessage]:
    """系统检查:哪些表存不了所有的文字。

    A warning and not an error: an error would keep `migrate` from mending it.
    """
    return [found for alias in databases or () for found in _cautions(alias)]


def _cautions(alias: str) -> Iterator[CheckMessage]:
    connection = connections[alias]
    if connection.vendor != "mysql":
        return
    try:
        unfit = _unfit(connection)
        loose = _without_binary(connection)
    except DatabaseError:
        return  # another check, or the command itself, says so
    if unfit:
        yield Caution(
            f"These tables are not {CHARSET}: {LIST.join(unfit)}.",
            hint="Chinese names and emoji may be refused. 'manage.py migrate' converts "
            "the tables.",
            id="stocksync.W003",
        )
    if loose:
        yield Caution(
            f"These columns do not tell 1m from 1M: {LIST.join(loose)}.",
            hint=f"Give them their collation {BINARY} back with ALTER TABLE … MODIFY.",
            id="stocksync.W004",
        )


def _unfit(connection: BaseDatabaseWrapper) -> dict[str, Columns]:
    """不合适的表,和要改的列。"""
    ours = {*connection.introspection.django_table_names(), MIGRATIONS}
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        found: dict[str, Columns] = {table: {} for (table,) in cursor.fetchall()}
        cursor.execute(COLUMNS)
        for table, column, kind in cursor.fetchall():
            found.setdefault(table, {})[column] = kind
    return {table: found[table] for table in sorted(ours & found.keys())}


def _without_binary(connection: BaseDatabaseWrapper) -> list[str]:
    """存放代码、却没有二进制排序规则的列。"""
    with connection.cursor() as cursor:
        cursor.execute(COLLATIONS)
        collations = {(table, name): found for table, name, found in cursor.fetchall()}
    wanted = [
        (options.db_table, field.column)
        for options in (model._meta for model in apps.get_models())  # noqa: SLF001
        for field in options.local_concrete_fields
        if field.db_parameters(connection).get("collation") == BINARY
    ]
    return sorted(
        f"{table}.{column}"
        for table, column in wanted
        if collations.get((table, column), BINARY) != BINARY
    )


def _conversion(connection: BaseDatabaseWrapper, table: str, columns: Columns) -> str:
    quote = connection.ops.quote_name
    steps = [f"DEFAULT CHARACTER SET {CHARSET}"]
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW CREATE TABLE {quote(table)}")
        lines = [line.strip().rstrip(",") for line in cursor.fetchone()[1].splitlines()]
    for column, kind in columns.items():
        head = f"{quote(column)} {kind}"
        # What the server itself says after the type: NULL or not, default, comment.
        (rest,) = (line.removeprefix(head) for line in lines if line.startswith(head))
        steps.append(f"MODIFY {head} CHARACTER SET {CHARSET}{WORDS.sub('', rest, 1)}")
    return f"ALTER TABLE {quote(table)} {LIST.join(steps)}"
