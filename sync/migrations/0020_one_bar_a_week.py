"""A week and a month have one bar each: earlier versions kept one for each stamp.

Of several the one that was stamped latest is the newest state of the same week; where
one stands at the unit's first day already, it was stored last and stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db import migrations

from sync.engine.markets import SUNDAY, unit_start

CHUNK = 500
VALUES = ("open", "high", "low", "close", "volume", "turnover")


def unite(apps: Any, schema_editor: Any) -> None:
    """把戳在别的日子上的周线和月线移到单位的第一天。"""
    alias = schema_editor.connection.alias
    klines = apps.get_model("sync", "Kline").objects.using(alias)
    for period in ("week", "month"):
        for stock_id in stocks(klines.filter(period=period)):
            move(klines.filter(stock_id=stock_id, period=period), klines.model, alias)


def stocks(rows: Any) -> Iterator[int]:
    """逐个给出有 K 线的股票,沿着主键跳着读。"""
    last = 0
    while ids := list(
        rows.filter(stock_id__gt=last)
        .order_by("stock_id")
        .values_list("stock_id", flat=True)
        .distinct()[:CHUNK]
    ):
        yield from ids
        last = ids[-1]


def move(rows: Any, model: Any, alias: str) -> None:
    """一只股票一种周期的:每个单位留下一根。"""
    bars = list(rows.order_by("time"))
    there = {bar.time for bar in bars}
    odd = {bar.time: bar for bar in bars if home(bar) != bar.time}
    if not odd:
        return
    # In order of time, so that the latest of a unit is the one that stays.
    newest = {home(bar): bar for bar in odd.values()}
    rows.filter(time__in=list(odd)).delete()
    model.objects.using(alias).bulk_create(
        model(
            stock_id=bar.stock_id,
            period=bar.period,
            time=at,
            **{name: getattr(bar, name) for name in VALUES},
        )
        for at, bar in newest.items()
        if at not in there
    )


def home(bar: Any) -> datetime:
    """这根 K 线该在的时间。"""
    day = bar.time.date()
    if bar.period == "week" and day.weekday() == SUNDAY:
        day += timedelta(days=1)
    return datetime.combine(unit_start(day, bar.period), time.min, UTC)


class Migration(migrations.Migration):
    dependencies = [("sync", "0019_recorded_failures")]
    operations = [migrations.RunPython(unite, migrations.RunPython.noop)]
