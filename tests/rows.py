"""测试用的行和值。"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Event
from typing import Any

import pytest
from django.db import connection

from sync.engine.ports import Beat, Failure, Kline, Part, Task, Window
from sync.models import Kline as StoredKline
from sync.models import MarketDay, Stock, SyncRun, SyncShard
from sync.services.processes import this_process
from sync.storage.failures import BatchFailures
from sync.storage.klines import DatabaseStore
from sync.storage.retrying import DatabaseRetry
from tests.engine.fakes import FakeClock

# 16:00 on a Tuesday in Hong Kong: that day's session is not over yet.
AT = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
TODAY = AT.date()
SECOND = timedelta(seconds=1)
WINDOW = Window(date(2026, 3, 2), date(2026, 3, 9))
PATIENCE = 30

MARIADB = connection.vendor == "mysql"
on_mariadb = pytest.mark.needs("mariadb")


def stock(code: str = "700", *, market: str = "HK", **columns: Any) -> Stock:
    return Stock.objects.create(stock_code=code, market=market, **columns)


def bar(of: Stock, day: date, *, period: str = "day") -> None:
    """存一根 K 线,在这一天的零点(UTC)。"""
    numbers = dict.fromkeys(("open", "high", "low", "close", "volume", "turnover"), 1)
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    StoredKline.objects.create(stock=of, period=period, time=at, **numbers)


def session(day: date, *, period: str = "day", present: int = 9) -> MarketDay:
    """HK 的一个交易日,核对过:十根里有 `present` 根。"""
    return MarketDay.objects.create(
        market="HK",
        period=period,
        day=day,
        expected=10,
        present=present,
        suspended=0,
        missing=10 - present,
        audited_at=AT,
    )


def run(**columns: Any) -> SyncRun:
    wanted = {
        "kind": "batch",
        "period": "day",
        "start_date": WINDOW.start,
        "end_date": WINDOW.end,
        "created_at": AT,
        "heartbeat_at": AT,
    }
    created = SyncRun.objects.create(**wanted | columns)
    created.refresh_from_db()
    return created


def queued_shard(of: SyncRun | None = None, *, process: str = "") -> SyncShard:
    return SyncShard.objects.create(
        run=of or run(), process=process, heartbeat_at=AT, leased_until=AT
    )


def running_shard(*, process: str | None = None, at: datetime = AT) -> SyncShard:
    """一个正在执行的分片:fence 是 1。"""
    shard = queued_shard(run(state="running", request_key="the key"))
    name = this_process() if process is None else process
    assert SyncShard.objects.claim(shard, process=name, at=at) == 1
    shard.refresh_from_db()
    return shard


def task(of: Stock, *, period: str = "day") -> Task:
    return Task(
        stock_id=of.pk,
        market=of.market,
        code=of.stock_code,
        period=period,
        windows=(WINDOW,),
        covered=None,
        final=WINDOW.end,
    )


def kline(day: int, price: str = "1.5", *, volume: str = "10") -> Kline:
    """2026 年 3 月某一天的 K 线。"""
    moment = datetime(2026, 3, day, tzinfo=UTC)
    number = Decimal(price)
    return Kline(
        moment, number, number, number, number, Decimal(volume), Decimal(volume)
    )


def part(
    of: Stock,
    *klines: Kline,
    covered: Window | None = None,
    period: str = "day",
) -> Part:
    return Part(task(of, period=period), klines, covered, last=True)


def failure(
    of: Stock,
    *,
    window: Window = WINDOW,
    period: str = "day",
    reason: str = "timeout",
    text: str = "no answer in time",
) -> Failure:
    return Failure(task(of, period=period), window, reason, text)


def store(shard: SyncShard, **parts: Any) -> DatabaseStore:
    """一个分片的仓库,归 fence 1 所有。"""
    usual: dict[str, Any] = {
        "fence": 1,
        "now": lambda: AT,
        "retrying": DatabaseRetry(stop=Event(), clock=FakeClock()),
        "beaten": lambda: Beat(50.0, frozenset()),
        "books": BatchFailures(shard.run),
    }
    return DatabaseStore(shard, **usual | parts)


def in_a_thread(work: Callable[[], object]) -> Callable[[], object]:
    """在自己的线程里做,然后关掉那里的连接。"""

    def closing() -> object:
        try:
            return work()
        finally:
            connection.close()

    return closing
