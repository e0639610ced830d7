"""量之前清空的表,量之后的计数。"""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import connection

from sync.engine.ports import Beat
from sync.models import Kline, Stock, SyncRun, SyncShard
from sync.storage.failures import BatchFailures
from sync.storage.klines import DatabaseStore
from sync.storage.retrying import at_once

NAMES = {"sqlite": "SQLite", "mysql": "MariaDB"}


def database() -> str:
    """正在用的数据库的名字。"""
    return NAMES[connection.vendor]


def fill(stocks: int) -> None:
    """港股正好这么多只,编号从 1 开始。"""
    Stock.objects.all().delete()
    numbers = range(1, stocks + 1)
    Stock.objects.bulk_create(
        (Stock(pk=number, market="HK", stock_code=str(number)) for number in numbers),
        batch_size=2_000,
    )


def empty() -> None:
    """清空 K 线和覆盖范围。"""
    clear = "TRUNCATE TABLE" if connection.vendor == "mysql" else "DELETE FROM"
    with connection.cursor() as cursor:
        for table in ("stk_kline", "stk_kline_coverage"):
            cursor.execute(f"{clear} {table}")


def rows_touched() -> int:
    """这条连接到现在为止插入或改写了多少行 K 线;只有差值有意义。

    MariaDB counts an unchanged row as found, so its own counters are asked.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT total_changes()")
            return int(cursor.fetchone()[0])
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_update'")
        updated = int(cursor.fetchone()[1])
    return updated + Kline.objects.count()


def store() -> DatabaseStore:
    """一个已经抢到手的分片的仓库,和真的运行一样检查 fence。"""
    at = datetime.now(UTC)
    run = SyncRun.objects.create(
        kind="batch", period="day", created_at=at, heartbeat_at=at
    )
    shard = SyncShard.objects.create(run=run, heartbeat_at=at, leased_until=at)
    fence = SyncShard.objects.claim(shard, process="bench", at=at)
    assert fence is not None
    return DatabaseStore(
        shard,
        fence=fence,
        now=lambda: datetime.now(UTC),
        retrying=at_once,
        beaten=lambda: Beat(50.0, frozenset()),
        books=BatchFailures(run),
    )
