"""迁移以后,一周、一个月只有一根 K 线。"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from sync.models import Kline

from ..rows import stock

unite = import_module("sync.migrations.0020_one_bar_a_week").unite
pytestmark = pytest.mark.django_db


def store(of: Any, period: str, *days: tuple[int, int], price: int = 1) -> None:
    for number, (month, day) in enumerate(days):
        Kline.objects.create(
            stock=of,
            period=period,
            time=datetime(2026, month, day, tzinfo=UTC),
            **dict.fromkeys(("open", "high", "low", "close"), price + number),
            volume=1,
            turnover=1,
        )


def stored(period: str) -> list[tuple[str, int]]:
    rows = Kline.objects.filter(period=period).order_by("stock", "time")
    return [(f"{row.time:%m-%d}", int(row.close)) for row in rows]


def migrated() -> None:
    unite(apps, SimpleNamespace(connection=connection))


def test_the_latest_stamp_of_a_week_stays_under_its_monday() -> None:
    # Wednesday's and Friday's, then a week that has its Monday already.
    store(stock(), "week", (3, 4), (3, 6), (3, 9), (3, 13))

    migrated()

    assert stored("week") == [("03-02", 2), ("03-09", 3)]


def test_the_latest_stamp_of_a_month_stays_under_its_first() -> None:
    store(stock(), "month", (1, 14), (1, 30), (2, 1), (3, 31))

    migrated()

    assert stored("month") == [("01-01", 2), ("02-01", 3), ("03-01", 4)]


def test_a_stamp_on_a_sunday_is_the_eve_of_its_week() -> None:
    store(stock(), "week", (3, 1))

    migrated()

    assert stored("week") == [("03-02", 1)]


def test_each_stock_is_by_itself_and_days_are_left_alone() -> None:
    store(stock("1"), "week", (3, 6))
    store(stock("2"), "week", (3, 2), price=7)
    store(stock("3"), "day", (3, 4), (3, 6))

    migrated()

    assert stored("week") == [("03-02", 1), ("03-02", 7)]
    assert stored("day") == [("03-04", 1), ("03-06", 2)]
