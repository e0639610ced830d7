"""导出多快、占多少内存,和数据库自己的客户端、和 pandas 比。

Each export is the command in a process of its own, which tells its peak in the end. The
stocks are 400, or EXPORT_STOCKS; each has 2,430 day bars, and 5,000 of them make twelve
million.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.db import connection
from django.db.models import Max

from sync.models import Kline
from sync.services import ExportRequest, export
from sync.storage.klines import write_klines

from . import samples, tables
from .figures import Against, Figure, higher, lower, seconds

STOCKS, BARS = 400, 2_430
SERIES = 20  # as many different ones as are made; the others are copies
PEAK_CSV, PEAK_PARQUET = 150.0, 300.0  # MB
MINUTES = 491_400  # five years of an American stock
END, MINUTE = datetime(2026, 1, 1, tzinfo=UTC), timedelta(minutes=1)
UNIT = "rows/s"
# Wanted is so much, or so much of what the database's own client dumps.
OWN, CLIENTS = 0.8, ("mariadb", "mysql", "sqlite3")
ENOUGH = {"mysql": 200_000, "sqlite": 130_000}
ROWS = (
    "SELECT s.market, s.stock_code, k.period, k.time, k.open, k.high, k.low, k.close, "
    "k.volume, k.turnover FROM stk_kline k JOIN stk_stock_info s ON s.id = k.stock_id"
)
FRAME = f"""
import time
import django; django.setup()
import warnings; warnings.simplefilter("ignore")
import pandas
from django.db import connection
connection.ensure_connection()
began = time.monotonic()
# It holds all rows in memory, as objects: twelve million would take as many kilobytes.
frame = pandas.read_sql("{ROWS} LIMIT 1000000", connection.connection)
print(len(frame) / (time.monotonic() - began))
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """一次导出:每秒多少行,最多用了多少 MB,写了多少 MB。"""

    rate: float
    peak: float
    size: float


def measure(*, quick: bool) -> list[Figure]:
    """CSV 按市场、按股票,Parquet 按年,一个市场的一天。"""
    stocks = 30 if quick else int(os.environ.get("EXPORT_STOCKS", STOCKS))
    bars = 50 if quick else BARS
    _fill(stocks, bars)
    csv = _export("market", "csv")
    rivals = list(_rivals(csv, rows=stocks * bars))
    return [
        *_figures("CSV by market", csv, PEAK_CSV, rivals),
        *_figures("CSV by stock", _export("stock", "csv"), PEAK_CSV),
        *_figures("Parquet by year", _export("year", "parquet"), PEAK_PARQUET),
        _a_day(stocks),
        _minutes(5_000 if quick else MINUTES),
    ]


def _fill(stocks: int, bars: int) -> None:
    """`stocks` stocks with `bars` bars each, along the primary key."""
    tables.empty()
    tables.fill(stocks)
    write_klines(samples.parts(min(SERIES, stocks), bars=bars))
    columns = "period, time, open, high, low, close, volume, turnover"
    with connection.cursor() as cursor:
        for first in range(SERIES + 1, stocks + 1, SERIES):
            cursor.execute(
                f"INSERT INTO stk_kline (stock_id, {columns}) "
                f"SELECT stock_id + {first - 1}, {columns} FROM stk_kline "
                f"WHERE stock_id <= {min(SERIES, stocks - first + 1)}"
            )


def _minutes(bars: int) -> Figure:
    """一只股票五年的 1 分钟线:一个序列再长,内存也不长。"""
    columns = "open, high, low, close, volume, turnover"
    source = f"SELECT {columns} FROM stk_kline WHERE period = 'day' LIMIT %s"
    with connection.cursor() as cursor:
        cursor.execute(source, [bars])
        rows = cursor.fetchall()
        first = END - MINUTE * len(rows)
        for start in range(0, len(rows), 10_000):
            some = enumerate(rows[start : start + 10_000], start)
            cursor.executemany(
                f"INSERT INTO stk_kline (stock_id, period, time, {columns}) "
                "VALUES (1, '1m', %s, %s, %s, %s, %s, %s, %s)",
                [(first + MINUTE * n, *map(str, row)) for n, row in some],
            )
    taken = _export("market", "csv", "--period", "1m")
    allowed = lower(taken.peak, "the most allowed", PEAK_CSV, 1.0)
    name = f"… peak, one series of {len(rows):,} bars"
    return Figure(name, tables.database(), taken.peak, "MB", 1, (allowed,))


def _export(by: str, form: str, *more: str) -> Taken:
    folder = Path(tempfile.mkdtemp(prefix="stocksync-bench-"))
    command = ["export_klines", "--json", "--to", str(folder)]
    try:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.e2e.peak", *command),
                *("--by", by, "--format", form, *more),
            ],
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "stocksync_site.settings"},
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        shutil.rmtree(folder)
    told = json.loads(done.stdout)
    kilobytes = re.findall("peak ([0-9]+)", done.stderr)[0]
    rate = told["rows"] / max(told["seconds"], 0.1)
    return Taken(rate, int(kilobytes) / 1024, told["bytes"] / 1e6)


def _figures(
    name: str, taken: Taken, most: float, rivals: list[Against] | None = None
) -> Iterator[Figure]:
    database = tables.database()
    own = [OWN * rival.value for rival in rivals or () if rival.what in CLIENTS]
    wanted = higher(taken.rate, "wanted", min([ENOUGH[connection.vendor], *own]), 1.0)
    yield Figure(name, database, taken.rate, UNIT, 1, (*(rivals or ()), wanted))
    allowed = lower(taken.peak, "the most allowed", most, 1.0)
    yield Figure("… peak", database, taken.peak, "MB", 1, (allowed,))
    yield Figure("… on disk", database, taken.size, "MB", 1)


def _rivals(csv: Taken, *, rows: int) -> Iterator[Against]:
    """数据库自己的客户端,和 pandas.read_sql。"""
    if dump := _client():
        rate = rows / seconds(lambda: _dumped(dump))
        yield higher(csv.rate, Path(dump[0]).name, rate)
    done = subprocess.run(
        [sys.executable, "-c", FRAME],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "stocksync_site.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    yield higher(csv.rate, "pandas.read_sql", float(done.stdout))


def _client() -> list[str]:
    """客户端的命令行;没有装就是空的。"""
    login = connection.settings_dict
    if connection.vendor == "mysql":
        client = shutil.which("mariadb") or shutil.which("mysql")
        options = [
            *(
                "--quick",
                "--batch",
                f"--host={login['HOST']}",
                f"--port={login['PORT']}",
            ),
            *(f"--user={login['USER']}", login["NAME"], f"--execute={ROWS}"),
        ]
        return [client, *options] if client else []
    client = shutil.which("sqlite3")
    return [client, "-csv", str(login["NAME"]), ROWS] if client else []


def _dumped(command: list[str]) -> None:
    with tempfile.TemporaryFile() as file:
        subprocess.run(
            command,
            # Not on the command line, which everybody may read.
            env=os.environ | {"MYSQL_PWD": connection.settings_dict["PASSWORD"]},
            stdout=file,
            check=True,
        )


def _a_day(stocks: int) -> Figure:
    """一个市场的一天,到最后一块为止。"""
    # The server hangs up on a session that is left alone for a minute.
    connection.close()
    newest = Kline.objects.filter(stock_id=1).aggregate(at=Max("time"))["at"].date()
    wanted = ExportRequest(markets=("HK",), start=newest, end=newest)
    taken = min(seconds(lambda: list(export(wanted).text())) for _ in range(3))
    name = f"one day of {stocks:,} stocks"
    against = (lower(taken, "wanted", 0.5, 1.0),)
    return Figure(name, tables.database(), taken, "s", 3, against)
