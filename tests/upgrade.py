"""从每一个发布过的迁移状态升级到最新,库里有数据。

    DATABASE_URL=… python -m tests.upgrade --klines 10000000

walks an empty database from the first migration to the last, one at a time, and puts
rows into every table at each state, so that rows of every earlier version take the
whole way that is left for them. At the end all of them must be there, K-lines and
coverage unchanged. Meanwhile somebody else reads and writes a K-line and notes how long
that takes: what a migration locks. Prints a JSON object for each migration that took
time or kept others waiting, and one at the end.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import django
from django.apps import apps
from django.db import connection, models
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState
from django.db.utils import DatabaseError

ROWS = 2  # of each table at each state
BARS = 2_500  # of each stock: ten years of days
WORTH_TELLING = 0.5  # seconds
PAUSE = 0.02  # seconds between two looks of the bystander
BEGIN = date(2016, 1, 1)
OURS = {"sync", "tokens"}
PORTION = 100  # stocks loaded by one statement
READ = 1_000  # rows of a table that are read in the end
# What columns of these names hold; others hold something of their type.
PLAUSIBLE = {
    "market": "HK",
    "period": "day",
    "state": "succeeded",
    "kind": "batch",
    "name": "x{}",
    "stock_code": "{}",
}
NUMBERS = """
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {})
"""
DAY = {
    "sqlite": "strftime('%Y-%m-%d 00:00:00', '2016-01-01', n || ' days')",
    "mysql": "TIMESTAMPADD(DAY, n, '2016-01-01')",
}
STOCKS = """
INSERT INTO stk_stock_info
    (market, stock_code, stock_name, exchange, deleted, created_at, updated_at)
{} SELECT 'HK', 10000 + n, '腾讯', '', 0, '2026-01-01', '2026-01-01' FROM numbers
"""
KLINES = """
INSERT INTO stk_kline
    (stock_id, period, time, open, high, low, close, volume, turnover)
{} SELECT id, 'day', {}, 10 + n % 7, 20, 5, 10, n, n * 10
FROM numbers CROSS JOIN stk_stock_info WHERE id BETWEEN %s AND %s
"""
COVERAGE = """
INSERT INTO stk_kline_coverage (stock_id, period, start_date, end_date)
SELECT stock_id, 'day', DATE(MIN(time)), DATE(MAX(time)) FROM stk_kline
WHERE stock_id BETWEEN %s AND %s GROUP BY stock_id
"""
LOADED = "SELECT MIN(id), MAX(id) FROM stk_stock_info WHERE stock_name = '腾讯'"
# Of the loaded stocks: how many bars, their sum, and what is covered.
KEPT = """
SELECT COUNT(*), SUM(volume), MIN(time), MAX(time) FROM stk_kline
WHERE stock_id BETWEEN %s AND %s
UNION ALL
SELECT COUNT(*), COUNT(DISTINCT stock_id), MIN(start_date), MAX(end_date)
FROM stk_kline_coverage WHERE stock_id BETWEEN %s AND %s
"""


class Bystander(threading.Thread):
    """别的程序:不停地读一根、写一根 K 线,记下等了多久。"""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.reads = self.writes = 0.0
        self._stop_asked = threading.Event()

    def run(self) -> None:
        """一直做到叫停。"""
        while not self._stop_asked.wait(PAUSE):
            self.reads = max(self.reads, _took("SELECT volume FROM stk_kline LIMIT 1"))
            write = "UPDATE stk_kline SET low = low WHERE stock_id = 1"
            self.writes = max(self.writes, _took(write))
        connection.close()

    def stop(self) -> None:
        """叫停,等它停下。"""
        self._stop_asked.set()
        self.join()


def _took(statement: str) -> float:
    began = time.monotonic()
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    except DatabaseError:
        pass  # no such table yet, or waited too long: the time is what counts
    return time.monotonic() - began


@dataclass
class Filler:
    """给每个表放几行。"""

    numbers: Iterator[int]
    added: Counter[str]

    def fill(self, apps: Any) -> None:
        """给这个状态的每个表放 `ROWS` 行。"""
        for model in apps.get_models():
            if model._meta.app_label in OURS:
                for _ in range(ROWS):
                    self._add(model)

    def _add(self, model: Any) -> Any:
        number = next(self.numbers)
        values = {
            field.attname: self._value(field, number)
            for field in model._meta.local_concrete_fields
            if not isinstance(field, models.AutoField | models.CompositePrimaryKey)
        }
        self.added[model._meta.db_table] += 1
        return model.objects.create(**values)

    def _value(self, field: Any, number: int) -> Any:
        if isinstance(field, models.ForeignKey):
            other: Any = field.remote_field.model
            return None if field.null else self._add(other).pk
        if not field.unique and field.name in PLAUSIBLE:
            return PLAUSIBLE[field.name].format(number)
        if field.choices:
            return field.choices[0][0]
        return _of_type(field, number)


def _of_type(field: Any, number: int) -> Any:
    kinds: tuple[tuple[Any, Any], ...] = (
        (models.BooleanField, False),
        (models.JSONField, []),
        (models.DateTimeField, datetime(2026, 1, 1, tzinfo=UTC) + timedelta(number)),
        (models.DateField, BEGIN + timedelta(number)),
        (models.SmallIntegerField, number % 2),
        ((models.IntegerField, models.DecimalField, models.FloatField), number),
        (models.BinaryField, b"x"),
        (models.UUIDField, None),
    )
    for kind, value in kinds:
        if isinstance(field, kind):
            return value
    return f"{number:x}"[: field.max_length]


def load(klines: int) -> tuple[int, int]:
    """一次放很多 K 线和它们的覆盖范围;返回这些股票第一只和最后一只的主键。"""
    count = max(1, klines // BARS)
    with connection.cursor() as cursor:
        if connection.vendor == "mysql":
            cursor.execute("SET max_recursive_iterations = 1000000")
        cursor.execute(STOCKS.format(NUMBERS.format(count - 1)))
        cursor.execute(LOADED)
        first, last = cursor.fetchone()
        statement = KLINES.format(NUMBERS.format(BARS - 1), DAY[connection.vendor])
        statement = statement.replace("% 7", "%% 7")
        for start in range(first, last + 1, PORTION):
            cursor.execute(statement, [start, min(start + PORTION - 1, last)])
        cursor.execute(COVERAGE, [first, last])
    return first, last


@contextmanager
def told(name: str, taken: list[float]) -> Iterator[None]:
    """说出这一步多久,别人等了多久;记下多久。"""
    bystander = Bystander()
    bystander.start()
    began = time.monotonic()
    try:
        yield
    finally:
        taken.append(time.monotonic() - began)
        bystander.stop()
    found = {
        "seconds": round(taken[-1], 1),
        "reads_waited": round(bystander.reads, 1),
        "writes_waited": round(bystander.writes, 1),
    }
    if max(found.values()) > WORTH_TELLING:
        print(json.dumps({"migration": name, **found}), flush=True)


def walk(klines: int) -> float:
    """从第一个迁移走到最后一个,每一步都放几行;返回迁移一共多少秒。"""
    taken: list[float] = []
    filler = Filler(itertools.count(1), Counter())
    executor = MigrationExecutor(connection)
    loaded: list[int] = []
    before: list[Any] = []
    for migration, _backwards in executor.migration_plan(
        executor.loader.graph.leaf_nodes()
    ):
        with told(str(migration), taken):
            state = _migrate(migration)
        if migration.app_label in OURS:
            filler.fill(state.apps)
        if migration.app_label == "sync" and not loaded:
            loaded = [*load(klines)] * 2
            before = kept(loaded)
    assert kept(loaded) == before, (before, kept(loaded))
    all_there(filler.added)
    return sum(taken)


def _migrate(migration: Migration) -> ProjectState:
    target = (migration.app_label, migration.name)
    return MigrationExecutor(connection).migrate([target])


def kept(loaded: list[int]) -> list[Any]:
    """K 线和覆盖范围的样子。"""
    with connection.cursor() as cursor:
        cursor.execute(KEPT, loaded)
        return [tuple(map(str, row)) for row in cursor.fetchall()]


def all_there(added: Counter[str]) -> None:
    """放进去的每一行都还在,今天的程序读得懂。"""
    for model in apps.get_models():
        if model._meta.app_label in OURS:
            rows = list(model._default_manager.order_by("-pk")[:READ])
            wanted = added[model._meta.db_table]
            assert len(rows) >= min(wanted, READ), model._meta.db_table


def main() -> int:
    """命令行入口。"""
    parser = argparse.ArgumentParser(prog="python -m tests.upgrade")
    parser.add_argument("--klines", type=int, default=BARS)
    klines = parser.parse_args().klines
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stocksync_site.settings")
    django.setup()
    seconds = round(walk(klines), 1)
    print(json.dumps({"klines": klines, "migrations_took": seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
