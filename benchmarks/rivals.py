"""别的写法:同样的几段 K 线,一个事务,从解析好的值到提交。

None of them checks a fence or keeps coverage; that favours them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from django.db import connection, transaction

from sync.engine.ports import Part
from sync.models import Kline
from sync.storage import klines

KEY = ("stock_id", "period", "time")
TABLE, COLUMNS, VALUES = klines.TABLE, klines.COLUMNS, klines.VALUES
OVERWRITE = " ON DUPLICATE KEY UPDATE " + ", ".join(
    f"{name} = VALUES({name})" for name in VALUES
)
TYPES = (
    "BIGINT",
    "VARCHAR(5)",
    "DATETIME(6)",
    *["DECIMAL(20,8)"] * 4,
    "DECIMAL(22,4)",
    "DECIMAL(26,4)",
)


def bulk_create(parts: Sequence[Part]) -> None:
    """Django 自己的批量写入。"""
    rows = (
        Kline(stock_id=part.task.stock_id, period=part.task.period, **bar._asdict())
        for part in parts
        for bar in part.klines
    )
    with transaction.atomic():
        Kline.objects.bulk_create(
            rows,
            # Without a batch size Django sends MySQL all rows in one packet.
            batch_size=2_000 if connection.vendor == "mysql" else None,
            update_conflicts=True,
            update_fields=VALUES,
            unique_fields=None if connection.vendor == "mysql" else KEY,
        )


def executemany(parts: Sequence[Part]) -> None:
    """SQLite 的 executemany,一行一条,绕过 Django 的游标。"""
    marks = ", ".join("?" * 9)
    sql = (
        f"INSERT INTO {TABLE} ({COLUMNS}) VALUES ({marks}) "
        f"ON CONFLICT ({', '.join(KEY)}) DO UPDATE SET "
        + ", ".join(f"{name} = excluded.{name}" for name in VALUES)
    )
    with transaction.atomic():
        connection.connection.executemany(sql, _values(parts))


def load_data(parts: Sequence[Part]) -> None:
    """LOAD DATA LOCAL,直接进表;一个警告也不许有。

    What MariaDB cannot read it stores as zero, with a warning and no error.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", dir=_memory()) as file:
        lines = _lines(parts, line="%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n")
        file.writelines(lines)
        file.flush()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                f"LOAD DATA LOCAL INFILE '{file.name}' REPLACE "
                f"INTO TABLE {TABLE} CHARACTER SET ascii ({COLUMNS})"
            )
            cursor.execute("SHOW WARNINGS")
            assert not cursor.fetchall()


def json_table(parts: Sequence[Part]) -> None:
    """INSERT … SELECT,从一个参数里的 JSON 读。"""
    columns = ", ".join(
        f"c{place} {kind} PATH '$[{place}]'" for place, kind in enumerate(TYPES)
    )
    sql = (
        f"INSERT INTO {TABLE} ({COLUMNS}) SELECT * FROM (SELECT bars.* FROM "
        f"JSON_TABLE(%s, '$[*]' COLUMNS ({columns})) AS bars) AS given" + OVERWRITE
    )
    lines = _lines(parts, line='[%d,"%s","%s",%s,%s,%s,%s,%s,%s]')
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, [f"[{','.join(lines)}]"])


def _lines(parts: Sequence[Part], *, line: str) -> Iterator[str]:
    return (line % row for row in _values(parts))


def _values(parts: Sequence[Part]) -> Iterator[tuple[int | str, ...]]:
    # As quick as ours, so that the statements are compared and not the texts.
    stamps: dict[datetime, str] = {}
    for part in parts:
        stock_id, period = part.task.stock_id, part.task.period
        for time, open_, high, low, close, volume, turnover in part.klines:
            if time not in stamps:
                stamps[time] = f"{time:%Y-%m-%d %H:%M:%S}"
            prices = str(open_), str(high), str(low), str(close)
            yield stock_id, period, stamps[time], *prices, str(volume), str(turnover)


def _memory() -> Path | None:
    shared = Path("/dev/shm")
    return shared if shared.is_dir() else None
