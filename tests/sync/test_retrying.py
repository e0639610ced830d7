"""数据库说再试一次的时候:锁、死锁、断线。"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier, Event

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError, OperationalError, ProgrammingError

from sync import storage
from sync.engine.errors import LostLease
from sync.engine.ports import Part, Progress
from sync.models import Coverage, Kline, Stock, SyncFailure, SyncRun, SyncShard
from tests.tokens.racing import at_once

from .rows import (
    MARIADB,
    PATIENCE,
    WINDOW,
    failure,
    in_a_thread,
    kline,
    on_mariadb,
    part,
    running_shard,
    stock,
    store,
)

DEADLOCK = OperationalError(1213, "Deadlock found when trying to get lock")


def one_part() -> Part:
    return part(stock(), kline(2), kline(3), covered=WINDOW)


class Failing:
    """先按顺序抛出这些错误,然后成功。"""

    def __init__(self, *errors: Exception) -> None:
        self._errors: Iterator[Exception] = iter(errors)
        self.attempts = 0

    def __call__(self) -> str:
        self.attempts += 1
        if error := next(self._errors, None):
            raise error
        return "done"


@pytest.mark.parametrize(
    "error",
    [
        DEADLOCK,
        OperationalError(1205, "Lock wait timeout exceeded"),
        OperationalError(2006, "Server has gone away"),
        OperationalError(2013, "Lost connection to server during query"),
        OperationalError(2055, "Lost connection to server, system error"),
        OperationalError(1927, "Connection was killed"),
        OperationalError(1053, "Server shutdown in progress"),
        OperationalError(2002, "Can't connect to server"),
        OperationalError(2003, "Can't connect to server"),
        OperationalError("database is locked"),
        OperationalError("database table is locked: stk_kline"),
    ],
    ids=str,
)
def test_what_passes_is_tried_again(error: Exception) -> None:
    work, pauses = Failing(error, error), list[float]()

    result = store(SyncShard(run=SyncRun()), pause=pauses.append).retrying(work)

    assert (result, work.attempts) == ("done", 3)
    assert pauses == pytest.approx([0.2, 0.4])


@pytest.mark.parametrize(
    "error",
    [
        OperationalError(1045, "Access denied"),
        OperationalError(1054, "Unknown column"),
        OperationalError("no such table: stk_kline"),
        OperationalError("disk I/O error"),
        OperationalError(),
        IntegrityError(1062, "Duplicate entry"),
        ProgrammingError(1146, "Table doesn't exist"),
        LostLease("taken over"),
        ValueError("a fault of ours"),
    ],
    ids=repr,
)
def test_what_does_not_pass_is_raised_at_once(error: Exception) -> None:
    work = Failing(error)

    with pytest.raises(type(error)) as caught:
        store(SyncShard(run=SyncRun()), pause=pytest.fail).retrying(work)

    assert caught.value is error
    assert work.attempts == 1


def test_gives_up_after_five_attempts() -> None:
    work, pauses = Failing(*[DEADLOCK] * 9), list[float]()

    with pytest.raises(OperationalError, match="Deadlock"):
        store(SyncShard(run=SyncRun()), pause=pauses.append).retrying(work)

    assert work.attempts == 5
    assert pauses == pytest.approx([0.2, 0.4, 0.8, 1.6])


@pytest.fixture
def own_connection(transactional_db: None) -> Iterator[None]:
    """测试要在这个连接上改设置:用完关掉。"""
    yield
    connection.close()


def give_up_waiting_at_once() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SET SESSION innodb_lock_wait_timeout = 0"
            if MARIADB
            else "PRAGMA busy_timeout = 0"
        )


@pytest.mark.usefixtures("own_connection")
def test_saving_is_done_again_once_another_writer_lets_go() -> None:
    shard, new = running_shard(), one_part()
    locked, let_go = Event(), Event()

    def hold() -> None:
        with transaction.atomic():
            SyncShard.objects.filter(pk=shard.pk).update(process="busy")
            locked.set()
            assert let_go.wait(PATIENCE)

    with ThreadPoolExecutor(1) as pool:
        holder = pool.submit(in_a_thread(hold))
        assert locked.wait(PATIENCE)
        pauses = []

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            let_go.set()
            holder.result(timeout=PATIENCE)

        give_up_waiting_at_once()
        store(shard, pause=pause).save([new])

    assert len(pauses) == 1
    assert Kline.objects.count() == 2


@on_mariadb
@pytest.mark.django_db(transaction=True)
def test_of_two_that_lock_each_other_out_both_come_through() -> None:
    shard, stocks = running_shard(), [stock("1"), stock("2")]
    both_hold_one = Barrier(2)
    attempts = []

    def lock(first: Stock, second: Stock) -> None:
        attempts.append(first)
        with transaction.atomic():
            Stock.objects.filter(pk=first.pk).update(exchange="x")
            if len(attempts) <= 2:
                both_hold_one.wait(timeout=PATIENCE)
            Stock.objects.filter(pk=second.pk).update(exchange="x")

    orders = [stocks, stocks[::-1]]
    at_once([partial(store(shard).retrying, partial(lock, *o)) for o in orders])

    assert len(attempts) == 3
    assert Stock.objects.filter(exchange="x").count() == 2


def kill_my_connection() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        (number,) = cursor.fetchone()

    def kill() -> None:
        with connection.cursor() as cursor:
            cursor.execute("KILL %s", [number])

    with ThreadPoolExecutor(1) as pool:
        pool.submit(in_a_thread(kill)).result(timeout=PATIENCE)


@on_mariadb
@pytest.mark.usefixtures("own_connection")
@pytest.mark.parametrize("place", ["write_klines", "write_coverage"])
def test_saving_survives_a_connection_killed_half_way(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard, new = running_shard(), one_part()
    real = getattr(storage, place)

    def killed(parts: Sequence[Part]) -> object:
        monkeypatch.setattr(storage, place, real)
        kill_my_connection()
        return real(parts)

    monkeypatch.setattr(storage, place, killed)
    store(shard).save([new])

    assert Kline.objects.count() == 2
    assert Coverage.objects.get().window == WINDOW


@on_mariadb
@pytest.mark.usefixtures("own_connection")
def test_a_connection_killed_while_idle_is_made_anew() -> None:
    shard, one = running_shard(), stock()
    mine = store(shard)

    kill_my_connection()
    mine.save([part(one, kline(2))])
    kill_my_connection()
    mine.beat(Progress())
    kill_my_connection()
    mine.record([failure(one)])

    assert (Kline.objects.count(), SyncFailure.objects.count()) == (1, 1)
