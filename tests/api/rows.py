"""接口测试用的行。"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from common.messages import Message
from sync.models import (
    Coverage,
    Kline,
    MarketDay,
    RejectedBar,
    Restatement,
    Revision,
    Split,
    Stock,
    SyncFailure,
    SyncRun,
    SyncShard,
)

AT = datetime(2024, 3, 12, 8, 0, tzinfo=UTC)


def failure(code: str = "700", **columns: Any) -> SyncFailure:
    wanted: dict[str, Any] = {
        "stock_code": code,
        "market": "HK",
        "start_date": date(2024, 3, 4),
        "end_date": date(2024, 3, 8),
        "failure_reason": "no answer in time",
        "reason_class": "timeout",
        "create_time": AT,
        "update_time": AT,
    }
    return SyncFailure.objects.create(**wanted | columns)


def run(**columns: Any) -> SyncRun:
    wanted: dict[str, Any] = {
        "kind": "batch",
        "period": "day",
        "start_date": date(2024, 3, 4),
        "end_date": date(2024, 3, 8),
        "created_at": AT,
        "heartbeat_at": AT,
    }
    return SyncRun.objects.create(**wanted | columns)


def shard(of: SyncRun, **columns: Any) -> SyncShard:
    wanted: dict[str, Any] = {"heartbeat_at": AT, "leased_until": AT}
    return SyncShard.objects.create(run=of, **wanted | columns)


def stock(code: str = "700", *, market: str = "HK") -> Stock:
    return Stock.objects.create(stock_code=code, market=market)


def covered(of: Stock, *, period: str = "day") -> Coverage:
    return Coverage.objects.create(
        stock=of,
        period=period,
        start_date=date(2024, 3, 4),
        end_date=date(2024, 3, 8),
    )


def kline(of: Stock, time: datetime, *, period: str = "day", price: str = "1") -> None:
    number = Decimal(price)
    Kline.objects.create(
        stock=of,
        period=period,
        time=time,
        open=number,
        high=number,
        low=number,
        close=number,
        volume=number,
        turnover=number,
    )


def rejected_bar(of: Stock | None = None, **columns: Any) -> RejectedBar:
    wanted: dict[str, Any] = {
        "stock": of or stock("9988"),
        "period": "day",
        "time": datetime(2024, 3, 6, tzinfo=UTC),
        "sent": "t=1709654400000 o=10 h=9 l=9 c=9 v=5",
        "reason": "open or close lies outside low and high",
        "seen_at": AT,
    }
    return RejectedBar.objects.create(**wanted | columns)


def market_day(market: str = "HK", **columns: Any) -> MarketDay:
    wanted: dict[str, Any] = {
        "period": "day",
        "day": date(2024, 3, 6),
        "expected": 10,
        "present": 8,
        "suspended": 1,
        "missing": 1,
        "audited_at": AT,
    }
    return MarketDay.objects.create(market=market, **wanted | columns)


def revision(of: Stock | None = None, **columns: Any) -> Revision:
    wanted: dict[str, Any] = {
        "stock": of or stock("9986"),
        "period": "day",
        "time": datetime(2024, 3, 6, tzinfo=UTC),
        "old": {"close": "9.5", "volume": "100"},
        "new": {"close": "9.6", "volume": "100"},
        "seen_at": AT,
    }
    return Revision.objects.create(**wanted | columns)


def restatement(of: Stock | None = None, **columns: Any) -> Restatement:
    wanted: dict[str, Any] = {
        "stock": of or stock("9987"),
        "period": "day",
        "state": "flagged",
        "reason": Message("%(foreign)d of %(compared)d bars", foreign=12, compared=12),
        "seen_at": AT,
    }
    return Restatement.objects.create(**wanted | columns)


def split(code: str = "700", **columns: Any) -> Split:
    wanted: dict[str, Any] = {
        "market": "HK",
        "stock_code": code,
        "ex_date": date(2024, 3, 6),
        "numerator": 4,
        "denominator": 1,
        "ratio": "4:1",
        "seen_at": AT,
    }
    return Split.objects.create(**wanted | columns)
