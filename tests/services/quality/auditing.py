"""核对的测试共用的:有 K 线和覆盖范围的股票,缺口。"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from sync.engine.ports import Window
from sync.models import Coverage, Kline, Stock, SyncFailure
from sync.services import MarketAudit, audit
from tests.rows import AT, stock

# Two weeks in Hong Kong without a holiday.
FIRST, LAST = date(2026, 3, 2), date(2026, 3, 13)
WINDOW = Window(FIRST, LAST)
SESSIONS = [date(2026, 3, day) for day in (2, 3, 4, 5, 6, 9, 10, 11, 12, 13)]
SATURDAY = date(2026, 3, 7)


def march(*days: int) -> list[date]:
    return [date(2026, 3, day) for day in days]


def loaded(
    code: str,
    *,
    without: Iterable[date] = (),
    days: Iterable[date] = SESSIONS,
    covered: Window | None = WINDOW,
    period: str = "day",
    **columns: Any,
) -> Stock:
    """一只股票,这些日子有 K 线,覆盖这个区间。"""
    one = stock(code, **columns)
    add_bars(one, set(days) - set(without), period=period)
    if covered:
        Coverage.objects.create(
            stock=one, period=period, start_date=covered.start, end_date=covered.end
        )
    return one


def add_bars(one: Stock, days: Iterable[date], *, period: str = "day") -> None:
    prices = dict.fromkeys(("open", "high", "low", "close"), Decimal(1))
    Kline.objects.bulk_create(
        Kline(
            stock=one,
            period=period,
            time=datetime.combine(day, time.min, UTC),
            volume=Decimal(1),
            turnover=Decimal(1),
            **prices,
        )
        for day in days
    )


def audited(*, window: Window = WINDOW, **more: Any) -> MarketAudit:
    (result,) = audit(window=window, at=AT, **more)
    return result


def windows(result: MarketAudit) -> list[tuple[str, date, date]]:
    return [
        (hole.stock.stock_code, hole.window.start, hole.window.end)
        for hole in result.found
    ]


def filed() -> list[tuple[str, date, date]]:
    rows = SyncFailure.objects.order_by("stock_code", "start_date")
    return [(row.stock_code, row.start_date, row.end_date) for row in rows]
