"""系统检查:数据库服务器和连接合不合适。

All are warnings: an error would keep `migrate` from running. They ask the database, so
they run with `check --database default` and in `migrate`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage
from django.core.checks import Warning as Caution
from django.db import DatabaseError, connections

OLDEST = {"MariaDB": (10, 6), "MySQL": (8, 0)}
PACKET = 16 * 1024**2  # bytes; a batch of bars is one statement
# MariaDB before 11.1 knows the isolation by its older name only.
ISOLATION = ("transaction_isolation", "tx_isolation")
NAMES = ("version", "character_set_client", "max_allowed_packet", "time_zone")
VARIABLES = "SHOW SESSION VARIABLES WHERE Variable_name IN %s"


def check(
    app_configs: Sequence[AppConfig] | None,
    databases: Sequence[str] | None = None,
    **_: Any,
) -> list[CheckMessage]:
    """说出数据库有什么不合适。"""
    return [found for alias in databases or () for found in _of(alias)]


def _of(alias: str) -> Iterator[CheckMessage]:
    connection = connections[alias]
    if connection.vendor == "mysql":
        try:
            with connection.cursor() as cursor:
                cursor.execute(VARIABLES, [(*NAMES, *ISOLATION)])
                yield from cautions(dict(cursor.fetchall()))
        except DatabaseError:
            return  # another check, or the command itself, says so


def cautions(variables: Mapping[str, str]) -> Iterator[CheckMessage]:
    """服务器的版本,和这条连接的变量。"""
    yield from _version(variables["version"])
    if (charset := variables["character_set_client"]) != "utf8mb4":
        yield Caution(
            f"The connection speaks {charset}, which lacks many Chinese names.",
            hint="Leave charset out of DATABASE_URL: it is utf8mb4 then.",
            id="stocksync.W006",
        )
    if (packet := int(variables["max_allowed_packet"])) < PACKET:
        yield Caution(
            f"The server takes statements of {packet // 1024} kB at most, and a batch "
            "of K-lines may be longer.",
            hint="Set max_allowed_packet to 16M or more in the server's configuration.",
            id="stocksync.W007",
        )
    if (zone := variables["time_zone"]) not in {"+00:00", "UTC"}:
        yield Caution(
            f"The connection's time zone is {zone}, and times are kept in UTC.",
            hint="Leave init_command out of DATABASE_URL: it sets the zone.",
            id="stocksync.W008",
        )
    level = next(variables[name] for name in ISOLATION if name in variables)
    if level != "READ-COMMITTED":
        yield Caution(
            f"The connection's isolation level is {level}: claims of several processes "
            "may meet in deadlocks.",
            hint="Leave isolation_level out of DATABASE_URL to have read committed.",
            id="stocksync.W009",
        )


def _version(version: str) -> Iterator[CheckMessage]:
    name = "MariaDB" if "mariadb" in version.lower() else "MySQL"
    # An old replication prefix: 5.5.5-10.11.6-MariaDB.
    numbers = re.findall(r"\d+", version.removeprefix("5.5.5-"))
    oldest = OLDEST[name]
    if tuple(map(int, numbers[:2])) < oldest:
        yield Caution(
            f"The server is {name} {version}, which was not tried.",
            hint=f"Use {name} {'.'.join(map(str, oldest))} or later.",
            id="stocksync.W005",
        )
