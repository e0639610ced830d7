"""每秒写多少根 K 线,和别的写法比。"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from django.db import connection

from sync.engine.ports import Part
from sync.models import Kline
from sync.storage import klines

from . import rivals, samples, tables
from .figures import Figure, higher, medians, seconds

BATCH = 20  # stocks to a transaction: what the engine writes at once, at 1,000 bars
UNIT = "rows/s"
AGAIN = 1.4  # times the pace of new bars: what is read is sooner done than written
Write = Callable[[Sequence[Part]], object]


def measure(*, quick: bool) -> list[Figure]:
    """全部数字:新的、同样的再来一遍;SQLite 还有没有 rowid 的表。"""
    parts = samples.parts(4, bars=50) if quick else samples.parts(60, bars=1_000)
    rounds = 1 if quick else 5
    tables.fill(len(parts))
    new = _written(parts, rounds=rounds)
    figures = [new, *_again(parts, rounds=rounds, new=new.value)]
    if connection.vendor == "sqlite":
        figures.append(_without_rowid(parts, rounds=rounds))
    return figures


def _written(parts: Sequence[Part], *, rounds: int) -> Figure:
    contenders: dict[str, Write] = {
        "ours": tables.store().save,
        "bulk_create": rivals.bulk_create,
    }
    if connection.vendor == "mysql":
        contenders["JSON_TABLE"] = rivals.json_table
        if _local_infile():
            contenders["LOAD DATA LOCAL"] = rivals.load_data
    else:
        contenders["bare executemany"] = rivals.executemany
    rates = _rates(contenders, parts, rounds=rounds)
    goals = _goals()
    ours = rates.pop("ours")
    against = tuple(higher(ours, name, rates[name], goals.get(name)) for name in rates)
    return Figure("new K-lines", tables.database(), ours, UNIT, rounds, against)


def _goals() -> dict[str, float]:
    if connection.vendor == "mysql":
        return {"bulk_create": 6, "LOAD DATA LOCAL": 0.9}
    return {"bulk_create": 7, "bare executemany": 0.9}


def _again(parts: Sequence[Part], *, rounds: int, new: float) -> list[Figure]:
    save = tables.store().save
    _into_empty(save, parts)
    before = tables.rows_touched()
    rate = _rates({"again": save}, parts, rounds=rounds, fresh=False)["again"]
    touched = tables.rows_touched() - before - _own_rows(rounds, parts)
    against = (higher(rate, "new K-lines", new, AGAIN),)
    return [
        Figure("the same again", tables.database(), rate, UNIT, rounds, against),
        Figure("… rows changed by that", tables.database(), touched, "rows", rounds),
    ]


def _own_rows(rounds: int, parts: Sequence[Part]) -> int:
    """每个事务里检查 fence 改写的那一行。"""
    return rounds * len(_batches(parts))


def _without_rowid(parts: Sequence[Part], *, rounds: int) -> Figure:
    save = tables.store().save
    usual = _rates({"ours": save}, parts, rounds=rounds)["ours"]
    _rebuild(" WITHOUT ROWID")
    try:
        rate = _rates({"ours": save}, parts, rounds=rounds)["ours"]
    finally:
        _rebuild("")
    against = (higher(rate, "the table as it is", usual),)
    return Figure("new, WITHOUT ROWID", tables.database(), rate, UNIT, rounds, against)


def _rebuild(ending: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sql FROM sqlite_master WHERE name = %s", [klines.TABLE])
        sql = cursor.fetchone()[0].removesuffix(" WITHOUT ROWID")
        cursor.execute(f"DROP TABLE {klines.TABLE}")
        cursor.execute(sql + ending)


def _rates(
    contenders: dict[str, Write],
    parts: Sequence[Part],
    *,
    rounds: int,
    fresh: bool = True,
) -> dict[str, float]:
    measured = _into_empty if fresh else _as_it_is
    taken = medians(
        {name: partial(measured, write, parts) for name, write in contenders.items()},
        rounds=rounds,
    )
    rows = sum(len(part.klines) for part in parts)
    return {name: rows / time for name, time in taken.items()}


def _into_empty(write: Write, parts: Sequence[Part]) -> float:
    tables.empty()
    time = _as_it_is(write, parts)
    assert Kline.objects.count() == sum(len(part.klines) for part in parts)
    return time


def _as_it_is(write: Write, parts: Sequence[Part]) -> float:
    batches = _batches(parts)
    return seconds(lambda: [write(batch) for batch in batches])


def _batches(parts: Sequence[Part]) -> list[Sequence[Part]]:
    return [parts[first : first + BATCH] for first in range(0, len(parts), BATCH)]


def _local_infile() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@local_infile")
        return bool(cursor.fetchone()[0])
