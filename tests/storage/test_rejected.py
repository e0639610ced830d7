"""不能用的 K 线怎样留下来。"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from sync.engine.ports import BadBar, Part, Window
from sync.models import Kline, RejectedBar, Stock, SyncFailure, SyncRun, SyncShard
from sync.models.rejected import NO_TIME
from sync.storage.failures import RetryFailures

from ..rows import AT, failure, kline, part, run, running_shard, stock, store

pytestmark = pytest.mark.django_db


def bad(day: int, text: str = "high is below low", values: str = "h=1 l=2") -> BadBar:
    return BadBar(text, datetime(2026, 3, day, tzinfo=UTC), values)


def spoiled(of: Stock, *bars: BadBar, klines: tuple[Any, ...] = ()) -> Part:
    return replace(part(of, *klines), rejected=bars)


def kept() -> list[tuple[str, datetime, str, str]]:
    columns = ("stock__stock_code", "time", "sent", "reason")
    return list(RejectedBar.objects.order_by("pk").values_list(*columns))


def waiting() -> list[tuple[str, date, date, str]]:
    columns = ("stock_code", "start_date", "end_date", "reason_class")
    return list(SyncFailure.objects.waiting().order_by("pk").values_list(*columns))


@pytest.fixture
def shard() -> SyncShard:
    return running_shard()


def test_a_rejected_bar_is_kept_with_its_numbers_and_asked_for_once_more(
    shard: SyncShard,
) -> None:
    store(shard).save([spoiled(stock(), bad(4), bad(6), klines=(kline(5),))])

    assert kept() == [
        ("700", bad(4).time, "h=1 l=2", "high is below low"),
        ("700", bad(6).time, "h=1 l=2", "high is below low"),
    ]
    assert Kline.objects.count() == 1
    row = RejectedBar.objects.first()
    assert row is not None
    assert (row.seen_at, row.run_id) == (AT, shard.run_id)
    assert waiting() == [("700", date(2026, 3, 4), date(2026, 3, 6), "bad_data")]
    assert SyncFailure.objects.get().run_id == shard.run_id


def test_one_that_comes_again_is_one_row_and_asked_for_no_more(
    shard: SyncShard,
) -> None:
    sz = stock()
    store(shard).save([spoiled(sz, bad(4))])
    SyncFailure.objects.settle(at=AT)
    store(shard).save([spoiled(sz, bad(4, "a price is not above zero", "l=0"))])

    assert kept() == [("700", bad(4).time, "l=0", "a price is not above zero")]
    assert waiting() == []


def test_it_goes_when_a_sound_bar_is_stored_in_its_place(shard: SyncShard) -> None:
    hk, sz = stock(), stock("000001", market="SZ")
    store(shard).save([spoiled(hk, bad(4), bad(5)), spoiled(sz, bad(4))])

    store(shard).save([part(hk, kline(4))])

    assert [(code, time) for code, time, *_ in kept()] == [
        ("700", bad(5).time),
        ("000001", bad(4).time),
    ]


def test_those_without_a_time_are_one_row_a_stock(shard: SyncShard) -> None:
    hk = stock()
    for _ in range(2):
        store(shard).save([spoiled(hk, BadBar("bar 2: not an object"))])

    assert [time for _, time, *_ in kept()] == [NO_TIME]
    assert [(start, end) for _, start, end, _ in waiting()] == [
        (date(2026, 3, 2), date(2026, 3, 9))
    ]


def test_what_is_too_long_is_cut(shard: SyncShard) -> None:
    store(shard).save([spoiled(stock(), bad(4, "x" * 300, "价" * 300))])

    [(_, _, sent, reason)] = kept()
    assert (len(sent), len(reason)) == (250, 100)


def test_a_later_part_of_the_same_run_settles_no_failure_of_an_earlier_one(
    shard: SyncShard,
) -> None:
    hk = stock()
    whole = Window(date(2026, 3, 2), date(2026, 3, 9))
    one = replace(spoiled(hk, bad(4)), covered=whole)

    store(shard).save([one])
    store(shard).save([replace(one, rejected=())])

    assert len(waiting()) == 1


def test_another_run_that_covers_it_settles_the_failure(shard: SyncShard) -> None:
    hk = stock()
    whole = Window(date(2026, 3, 2), date(2026, 3, 9))
    SyncFailure.objects.record(
        [failure(hk, window=whole, reason="bad_data")], run_id=run().pk, at=AT
    )

    store(shard).save([part(hk, kline(4), covered=whole)])

    assert waiting() == []


def test_a_retry_settles_the_failure_whatever_came_and_files_no_other() -> None:
    hk = stock()
    first = running_shard()
    store(first).save([spoiled(hk, bad(4))])
    SyncRun.objects.filter(pk=first.run_id).update(kind="retry")
    first.refresh_from_db()

    retrying = store(first, books=RetryFailures(first.run))
    retrying.save([spoiled(hk, bad(4), bad(5))])

    assert waiting() == []
    assert [row.retry_count for row in SyncFailure.objects.all()] == [0]
    assert len(kept()) == 2


def test_nothing_is_kept_of_what_is_not_stored(shard: SyncShard) -> None:
    SyncShard.objects.update(fence=9)

    with pytest.raises(Exception, match="taken over"):
        store(shard).save([spoiled(stock(), bad(4))])

    assert kept() == []
    assert waiting() == []


def test_the_table_holds_any_text(shard: SyncShard) -> None:
    store(shard).save([spoiled(stock(), bad(4, "停牌 🐂", "c=🐂"))])

    assert kept()[0][2:] == ("c=🐂", "停牌 🐂")
