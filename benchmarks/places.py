"""量的时候用的数据库:临时的 SQLite 文件和私有的 MariaDB,用完就删。"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import environ

from tests import mariadb

NewUrl = Callable[[], str]


@contextmanager
def databases() -> Iterator[dict[str, NewUrl]]:
    """每次调用给出一个新的、空的数据库的 DATABASE_URL。

    Without a MariaDB to start, SQLite alone; the reason is printed.
    """
    with tempfile.TemporaryDirectory(prefix="stocksync-bench-") as folder:
        numbers = count(1)
        places: dict[str, NewUrl] = {
            "sqlite": lambda: f"sqlite:///{Path(folder) / f'{next(numbers)}.sqlite3'}"
        }
        with ExitStack() as stack:
            try:
                server = stack.enter_context(mariadb.MariaDB())
                places["mariadb"] = lambda: _new_database(server, next(numbers))
            except mariadb.CannotStart as reason:
                print(f"MariaDB is left out: {reason}")
            yield places


def _new_database(server: mariadb.MariaDB, number: int) -> str:
    import MySQLdb  # noqa: PLC0415  # a C extension that not every checkout has

    url = server.url(f"bench{number}")
    login = environ.Env.db_url_config(url)
    connection = MySQLdb.connect(
        host=login["HOST"],
        port=login["PORT"],
        user=login["USER"],
        password=login["PASSWORD"],
    )
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE bench{number} CHARACTER SET utf8mb4")
    connection.close()
    # Only here: LOAD DATA LOCAL is one of the rivals.
    return f"{url}?local_infile=1"
