"""K 线和覆盖范围的批量写入,SQLite 和 MySQL/MariaDB。

Implements the engine's `Store`. What is written, in one transaction:

1. the fence check, which locks the shard's row: whoever has lost the shard writes
   nothing;
2. what the answers say about bars that are stored, see `overlap`;
3. the klines, one statement for thousands of rows;
4. the coverage of their stocks, what of their history could not be reached, the days
   on which they are known to have been suspended, and of which there is nothing;
5. the bars that were rejected, and a failure where one is to be asked for again;
6. that the audit's numbers of these days are out of date, and from which bar on the
   series have changed.

Why these statements: see docs/decisions/writing-klines.md.
"""

from __future__ import annotations

import logging
from collections.abc import (
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import chain, islice, repeat
from typing import TypeVar

from django.db import connection, transaction
from django.db.utils import Error

from common.upserts import unique_fields

from ..engine import coverage
from ..engine.errors import LostLease
from ..engine.ports import Beat, Failure, Part, Progress, Saved, Window
from ..models import Coverage, SyncShard
from ..models.fetched import FetchedWindows
from .changes import earliest, note_changes
from .comparing import note_compared
from .failures import CoverageChange, FailureBooks
from .overlap import Judge
from .rejected import keep_rejected
from .restating import Restating
from .retrying import Retrying, Unavailable
from .silence import note_parts
from .suspensions import write_suspensions
from .touched import Touched, mark
from .unreached import write_unreached

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Rows to a statement, 2 MB at most: the coordinator gets the interpreter back after
# each, and lanes that are at work make it wait for that. The first is soon made, and
# the second while the server works on it.
FIRST_ROWS, ROWS = 1_000, 10_000
TOGETHER = 100  # the same for SQLite, some of which take 999 values at most

TABLE, STAGED = "stk_kline", "stk_kline_staged"
COLUMNS = "stock_id, period, time, open, high, low, close, volume, turnover"
VALUES = ("open", "high", "low", "close", "volume", "turnover")
Covered = Mapping[tuple[int, str], Window]


class DatabaseStore:
    """把一个分片的结果写进数据库。

    Used by one thread. `now` tells the time, `retrying` repeats what the database asks
    to try again, `beaten` is called in each heartbeat once the shard is known to be
    ours, `books` keeps the failures.

    Safe to repeat even where a commit's answer was lost: what is written is keyed by
    what it is about, and counted by nobody.
    """

    def __init__(
        self,
        shard: SyncShard,
        *,
        fence: int,
        now: Callable[[], datetime],
        retrying: Retrying,
        beaten: Callable[[], Beat],
        books: FailureBooks,
    ) -> None:
        self.shard = shard
        self.fence = fence
        self._now = now
        self._retrying = retrying
        self._beaten = beaten
        self._books = books
        self._restating = Restating(shard.pk)
        self._contradicted = False
        self.touched = Touched()
        self.fetched = FetchedWindows(force=shard.run.force)

    def save(self, parts: Sequence[Part]) -> Saved:
        """写入 K 线和覆盖范围,用一个以检查 fence 开始的事务。

        Parts that contradict what is stored are left out, see `overlap`.
        """
        saved = self._retrying(lambda: self._write(parts))
        self._restating.committed()
        self.touched.committed()
        self._note_fetched(saved.parts)
        return saved

    def _note_fetched(self, parts: Sequence[Part]) -> None:
        # A stock's windows count once all of them are there.
        for part in parts:
            if part.last:
                self.fetched.add(part.task, *part.task.windows)
            elif part.covered:
                self.fetched.add(part.task, part.covered, count=0)

    def take_contradicted(self) -> bool:
        """取出上次问过以后,有没有序列要整个重新取。"""
        found, self._contradicted = self._contradicted, False
        return found

    def record(self, failures: Sequence[Failure]) -> None:
        """记录失败,用自己的事务,以检查 fence 开始;记不下来只写日志。

        Who has lost the shard knows nothing of what its successor could get.
        """
        try:
            self._retrying(lambda: self._record(failures))
        except Unavailable:
            raise  # nothing else of the run can be stored either
        except Error:
            logger.exception(
                "%d failures could not be recorded",
                len(failures),
                extra={"event": "failure.unrecorded", "run": self.shard.run_id},
            )

    def beat(self, _progress: Progress) -> Beat:
        """报一次心跳:续租,保存进度,看看有没有人要求停下。"""
        return self._retrying(self._beat)

    def _write(self, parts: Sequence[Part]) -> Saved:
        with transaction.atomic():
            self._check_fence()
            at = self._now()
            covered = read_coverage({part.task.stock_id for part in parts})
            judged = Judge(self.shard.run, covered, at=at).judge(parts)
            write_klines([*judged.written, *judged.corrections])
            if staged := self._restating.begin(judged.staged):
                write_klines(staged, table=STAGED)
            swapped = self._restating.swap(staged, at=at)
            note_changes(earliest(judged.changed_from, swapped.changes), at=at)
            stored = [*judged.parts, *swapped.parts]
            changes = write_coverage(stored)
            write_unreached(stored, at=at)
            write_suspensions(stored)
            note_parts(stored, at=at)
            note_compared(stored)
            news = keep_rejected(stored, run_id=self.shard.run_id, at=at)
            self._books.saved(stored, changes, at=at)
            # After what is covered now is settled: these stand in the coverage.
            self._books.rejected(news, at=at)
            mark(self.touched.begin(stored, judged.changed), at=at)
        self._contradicted |= judged.contradicted
        return Saved(stored, [*judged.failures, *swapped.failures])

    def _record(self, failures: Sequence[Failure]) -> None:
        with transaction.atomic():
            self._check_fence()
            self._books.failed(failures, at=self._now())

    def _beat(self) -> Beat:
        self._check_fence()
        return self._beaten()

    def _check_fence(self) -> None:
        now = self._now()
        if not SyncShard.objects.beat(self.shard.pk, fence=self.fence, at=now):
            raise LostLease(f"{self.shard} has been taken over")


def write_klines(parts: Sequence[Part], *, table: str = TABLE) -> None:
    """批量写入 K 线;相同的 K 线再写一遍什么也不改变。

    To be called inside a transaction. `table` is one of the two with these columns.
    """
    ordered = sorted(parts, key=lambda part: part.task.stock_id)
    if connection.vendor == "mysql":
        _write_mysql(ordered, table)
    else:
        _write_sqlite(ordered, table)


def read_coverage(ids: Collection[int]) -> Covered:
    """读出这些股票的覆盖范围,锁住直到事务结束:别的运行可能改过。"""
    if not ids:
        return {}
    rows = Coverage.objects.select_for_update().filter(stock_id__in=ids)
    columns = rows.values_list("stock_id", "period", "start_date", "end_date")
    return {(pk, period): Window(*days) for pk, period, *days in columns}


def write_coverage(parts: Sequence[Part]) -> list[CoverageChange]:
    """更新覆盖范围,与 K 线在同一个事务里;返回每只股票的前后。

    Read again under the lock and joined: another run may have moved it, and what does
    not touch it is not counted, so that coverage never claims what was not fetched.
    """
    gained = [(part.task, part.covered) for part in parts if part.covered]
    old = read_coverage({task.stock_id for task, _ in gained})
    changes: dict[tuple[int, str], CoverageChange] = {}
    for task, more in gained:
        key = (task.stock_id, task.period)
        before = old.get(key)
        so_far = changes[key].after if key in changes else before
        changes[key] = CoverageChange(task, before, coverage.join(so_far, more))
    _store_coverage(
        [change for change in changes.values() if change.before != change.after]
    )
    return list(changes.values())


def _store_coverage(changes: Sequence[CoverageChange]) -> None:
    Coverage.objects.bulk_create(
        [
            Coverage(
                stock_id=change.task.stock_id,
                period=change.task.period,
                start_date=change.after.start,
                end_date=change.after.end,
            )
            for change in sorted(changes, key=lambda change: change.task.stock_id)
        ],
        update_conflicts=True,
        update_fields=["start_date", "end_date"],
        unique_fields=unique_fields("stock", "period"),
    )


def _write_sqlite(parts: Sequence[Part], table: str) -> None:
    rows = list(_sqlite_rows(parts))
    whole = len(rows) - len(rows) % TOGETHER
    with connection.cursor() as cursor:
        if whole:
            chunks = _chunks(iter(rows[:whole]), repeat(TOGETHER))
            joined = [list(chain.from_iterable(chunk)) for chunk in chunks]
            cursor.executemany(_sqlite_upsert(TOGETHER, table), joined)
        if whole < len(rows):
            cursor.executemany(_sqlite_upsert(1, table), rows[whole:])


def _sqlite_upsert(rows: int, table: str) -> str:
    one = "(%s, %s, %s, %s, %s, %s, %s, %s, %s)"
    changed = " OR ".join(f"{name} <> excluded.{name}" for name in VALUES)
    return (
        f"INSERT INTO {table} ({COLUMNS}) "  # noqa: S608 - our names
        f"VALUES {', '.join([one] * rows)} "
        "ON CONFLICT (stock_id, period, time) DO UPDATE SET "
        + ", ".join(f"{name} = excluded.{name}" for name in VALUES)
        + f" WHERE {changed}"
    )


def _write_mysql(parts: Sequence[Part], table: str) -> None:
    head = f"INSERT INTO {table} ({COLUMNS}) VALUES "  # noqa: S608
    tail = " ON DUPLICATE KEY UPDATE " + ", ".join(
        f"{name} = VALUES({name})" for name in VALUES
    )
    sizes = chain([FIRST_ROWS], repeat(ROWS))
    statements = map(",".join, _chunks(_mysql_rows(parts), sizes))
    with connection.cursor() as cursor:
        for rows in _ahead(statements):
            cursor.execute(head + rows + tail)


def _sqlite_rows(parts: Sequence[Part]) -> Iterator[tuple[int | str, ...]]:
    stamps = _Stamps("%Y-%m-%d %H:%M:%S")
    for part in parts:
        stock_id, period = part.task.stock_id, part.task.period
        for time, open_, high, low, close, volume, turnover in part.klines:
            prices = str(open_), str(high), str(low), str(close)
            yield stock_id, period, stamps[time], *prices, str(volume), str(turnover)


def _mysql_rows(parts: Sequence[Part]) -> Iterator[str]:
    """一根 K 线一段 VALUES 文本。

    Safe to paste: every piece is made here from an int, a period's name from our own
    table, a datetime or a finite Decimal. With an exponent MySQL reads a double, which
    is exact enough: str writes one only for numbers below 0.000001 or, of those that
    are not rounded to the column's scale, for round ones.
    """
    # A moment as a number is shorter, and sooner read by the server, than as text.
    stamps = _Stamps("%Y%m%d%H%M%S")
    for part in parts:
        head = f"({part.task.stock_id:d},'{part.task.period}',"
        for time, open_, high, low, close, volume, turnover in part.klines:
            # % asks a Decimal for its str, three times as fast as its format.
            yield head + "%s,%s,%s,%s,%s,%s,%s)" % (  # noqa: UP031
                stamps[time], open_, high, low, close, volume, turnover,
            )  # fmt: skip


class _Stamps(dict[datetime, str]):
    """时间的文本,每个时间只格式化一次:同一天有上千只股票。"""

    def __init__(self, style: str) -> None:
        super().__init__()
        self._style = style

    def __missing__(self, time: datetime) -> str:
        text = self[time] = time.strftime(self._style)
        return text


def _chunks(rows: Iterator[T], sizes: Iterator[int]) -> Iterator[list[T]]:
    while chunk := list(islice(rows, next(sizes))):
        yield chunk


def _ahead(statements: Iterator[str]) -> Iterator[str]:
    """在数据库写这一条的时候,另一个线程准备好下一条。"""
    with ThreadPoolExecutor(1, "stock-sync-rows") as pool:
        coming = pool.submit(next, statements, "")
        while statement := coming.result():
            coming = pool.submit(next, statements, "")
            yield statement
