"""演习场:一个私有的 MariaDB,这个进程的 Django 就用它。"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import environ
from cryptography.fernet import Fernet

from tests.galera import Galera
from tests.mariadb import MariaDB

DATABASE = "faults"


@dataclass(frozen=True, slots=True)
class Ground:
    """数据库,和放日志的文件夹。"""

    database: MariaDB | Galera
    folder: Path

    @property
    def server(self) -> MariaDB:
        """唯一的服务器。"""
        assert isinstance(self.database, MariaDB)
        return self.database

    @property
    def galera(self) -> Galera:
        """三个节点的集群。"""
        assert isinstance(self.database, Galera)
        return self.database


@contextmanager
def ground(kind: type[MariaDB] | type[Galera] = MariaDB) -> Iterator[Ground]:
    """准备好数据库、空的表和设置;结束时删掉。

    To be entered before anything of Django is imported: its settings are read once,
    and from the environment, which the processes that are started inherit.
    """
    with (
        kind() as server,
        tempfile.TemporaryDirectory(prefix="stocksync-faults-") as folder,
    ):
        os.environ |= {
            "DATABASE_URL": server.url(DATABASE),
            "DJANGO_SECRET_KEY": secrets.token_urlsafe(50),
            "TOKEN_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "ITICK_ALLOWED_HOSTS": "127.0.0.1",
            "Q_BROKER_URL": "",
            "LOG_LEVEL": "INFO",
        }
        _create(server)
        _migrate()
        yield Ground(server, Path(folder))


def _create(server: MariaDB | Galera) -> None:
    import MySQLdb  # noqa: PLC0415  # a C extension that not every checkout has

    login = environ.Env.db_url_config(server.url(DATABASE))
    connection = MySQLdb.connect(
        host=login["HOST"],
        port=login["PORT"],
        user=login["USER"],
        password=login["PASSWORD"],
    )
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")
    connection.close()


def _migrate() -> None:
    from django.core.management import call_command  # noqa: PLC0415

    from . import executor  # noqa: PLC0415, F401  # sets Django up

    call_command("migrate", verbosity=0)


def empty() -> None:
    """清空我们的表和任务队列。"""
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor)
        cursor.execute("SET foreign_key_checks = 0")
        for name in names:
            if name.startswith(("stk_", "django_q_")):
                cursor.execute(f"TRUNCATE TABLE {name}")
        cursor.execute("SET foreign_key_checks = 1")
