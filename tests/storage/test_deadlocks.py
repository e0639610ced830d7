"""数据库说再试一次的时候:真的锁、死锁和断线。"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Barrier, Event

import pytest
from django.db import connection, transaction

from sync.engine.ports import Part, Progress
from sync.models import Coverage, Kline, Stock, SyncFailure, SyncShard
from sync.storage import klines
from sync.storage.retrying import DatabaseRetry
from tests.engine.fakes import FakeClock
from tests.racing import at_once

from ..rows import (
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


def retrying() -> DatabaseRetry:
    return DatabaseRetry(stop=Event(), clock=FakeClock())


def one_part() -> Part:
    return part(stock(), kline(2), kline(3), covered=WINDOW)


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


class LettingGo(FakeClock):
    """等待的时候,另一个写入者放开锁。"""

    def __init__(self, let_go: Event, holder: Future[object]) -> None:
        super().__init__()
        self._let_go = let_go
        self._holder = holder

    def wait(self, event: Event, seconds: float) -> bool:
        self._let_go.set()
        self._holder.result(timeout=PATIENCE)
        return super().wait(event, seconds)


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
        clock = LettingGo(let_go, holder)

        give_up_waiting_at_once()
        store(shard, retrying=DatabaseRetry(stop=Event(), clock=clock)).save([new])

    assert len(clock.waits) == 1
    assert Kline.objects.count() == 2


@on_mariadb
@pytest.mark.django_db(transaction=True)
def test_of_two_that_lock_each_other_out_both_come_through() -> None:
    stocks = [stock("1"), stock("2")]
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
    at_once([partial(retrying(), partial(lock, *order)) for order in orders])

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
    real = getattr(klines, place)

    def killed(parts: Sequence[Part]) -> object:
        monkeypatch.setattr(klines, place, real)
        kill_my_connection()
        return real(parts)

    monkeypatch.setattr(klines, place, killed)
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
