"""分片的仓库:fence 在先,整个事务要么全有要么全无,锁和断线重做。"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection
from django.db.utils import OperationalError
from django.test.utils import CaptureQueriesContext

from sync.engine.errors import LostLease
from sync.engine.ports import Beat, Part, Progress
from sync.models import Coverage, Kline, SyncFailure, SyncShard
from sync.models.shards import LEASE
from sync.storage import klines

from ..rows import (
    AT,
    PATIENCE,
    SECOND,
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

LATER = AT + timedelta(minutes=5)


def one_part() -> Part:
    return part(stock(), kline(2), kline(3), covered=WINDOW)


def nothing_stored() -> bool:
    return not Kline.objects.exists() and not Coverage.objects.exists()


def take_over(shard: SyncShard) -> int | None:
    return SyncShard.objects.claim(shard, process="another:1:1", at=LATER)


# --- the transaction ----------------------------------------------------------------


@pytest.mark.django_db
def test_saving_stores_bars_and_coverage_and_renews_the_lease() -> None:
    shard = running_shard()
    moment = AT + 7 * SECOND

    store(shard, now=lambda: moment).save([one_part()])

    assert Kline.objects.count() == 2
    assert Coverage.objects.get().window == WINDOW
    shard.refresh_from_db()
    assert (shard.heartbeat_at, shard.leased_until) == (moment, moment + 60 * SECOND)


@pytest.mark.django_db
def test_the_fence_is_checked_before_anything_is_written() -> None:
    mine, new = store(running_shard()), one_part()

    with CaptureQueriesContext(connection) as queries:
        mine.save([new])

    written = [sql for query in queries if "SAVEPOINT" not in (sql := query["sql"])]
    assert written[0].startswith("UPDATE")
    assert "fence" in written[0]
    assert "stk_kline" in written[1]


@pytest.mark.django_db
def test_who_has_lost_the_shard_writes_nothing() -> None:
    shard, new = running_shard(), one_part()
    late = store(shard)
    assert take_over(shard) == 2

    with pytest.raises(LostLease):
        late.save([new])

    assert nothing_stored()
    shard.refresh_from_db()
    assert (shard.fence, shard.heartbeat_at) == (2, LATER)


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["done", "interrupted", "queued"])
def test_a_shard_that_does_not_run_any_more_is_lost(state: str) -> None:
    shard, new = running_shard(), one_part()
    SyncShard.objects.update(state=state)

    with pytest.raises(LostLease):
        store(shard).save([new])

    assert nothing_stored()


@pytest.mark.django_db
def test_a_late_writer_does_not_overwrite_what_its_successor_stored() -> None:
    shard, one = running_shard(), stock()
    late, next_one = store(shard), store(shard, fence=2, now=lambda: LATER)
    take_over(shard)
    next_one.save([part(one, kline(2, "2.5"))])

    with pytest.raises(LostLease):
        late.save([part(one, kline(2, "1.5"))])

    assert str(Kline.objects.get().close) == "2.50000000"


@pytest.mark.django_db
def test_who_has_lost_the_shard_records_no_failure() -> None:
    shard, failed = running_shard(), failure(stock())
    late = store(shard)
    take_over(shard)

    with pytest.raises(LostLease):
        late.record([failed])

    assert not SyncFailure.objects.exists()


@pytest.mark.django_db
def test_a_fault_half_way_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shard, new = running_shard(), one_part()

    def fail(_parts: Sequence[Part]) -> None:
        assert Kline.objects.count() == 2
        raise OperationalError("disk full")

    monkeypatch.setattr(klines, "write_coverage", fail)
    with pytest.raises(OperationalError, match="disk full"):
        store(shard, now=lambda: LATER).save([new])

    assert nothing_stored()
    shard.refresh_from_db()
    assert shard.heartbeat_at == AT


@pytest.mark.django_db(transaction=True)
def test_nobody_takes_the_shard_over_while_its_owner_writes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shard, new = running_shard(), one_part()
    write = klines.write_klines

    with ThreadPoolExecutor(1) as other:

        def claimed_meanwhile(parts: Sequence[Part]) -> None:
            write(parts)
            rival = other.submit(in_a_thread(partial(take_over, shard)))
            rivals.append(rival)
            assert not rival.done()

        rivals: list[object] = []
        monkeypatch.setattr(klines, "write_klines", claimed_meanwhile)
        store(shard, now=lambda: LATER).save([new])
        rival = rivals[0].result(timeout=PATIENCE)  # type: ignore[attr-defined]

    assert rival is None
    shard.refresh_from_db()
    assert (shard.fence, Kline.objects.count()) == (1, 2)


@on_mariadb
@pytest.mark.django_db
def test_a_frozen_writer_keeps_its_locks_no_longer_than_its_lease() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@session.wait_timeout")
        (seconds,) = cursor.fetchone()

    assert timedelta(seconds=seconds) <= LEASE


# --- the heartbeat ------------------------------------------------------------------


@pytest.mark.django_db
def test_a_heartbeat_renews_the_lease_and_answers() -> None:
    shard, answer = running_shard(), Beat(12.0, frozenset({3}), cancelled=True)

    beat = store(shard, now=lambda: LATER, beaten=lambda: answer).beat(Progress())

    assert beat is answer
    shard.refresh_from_db()
    assert shard.leased_until == LATER + 60 * SECOND


@pytest.mark.django_db
def test_a_heartbeat_finds_out_that_the_shard_is_lost() -> None:
    shard = running_shard()
    take_over(shard)

    with pytest.raises(LostLease):
        store(shard, beaten=pytest.fail).beat(Progress())
