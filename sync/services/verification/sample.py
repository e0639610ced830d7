"""抽样:从存下的序列里随机挑股票和区间。"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from random import Random

from sync.engine import coverage, markets, sampling
from sync.engine.ports import Task, Window
from sync.models import Coverage, Kline, Stock


def stored_markets(wanted: Collection[str]) -> list[str]:
    """列出存有 K 线的市场;空表示全部。"""
    rows = Coverage.objects.filter(stock__in=Stock.objects.active())
    found = set(rows.order_by().values_list("stock__market", flat=True).distinct())
    known = found & set(markets.MARKETS)
    return sorted(known & set(wanted) if wanted else known)


def sampled(among: Collection[str], calls: int, *, dice: Random) -> Iterator[Task]:
    """逐个给出要比较的任务,至多 `calls` 个,市场之间穿插着。

    Who stops early has still met every market. Series of which nothing is stored cost
    no call, and are left out.
    """
    rows = list(
        Coverage.objects.filter(
            stock__in=Stock.objects.expected(), stock__market__in=among
        ).values_list("stock__market", "period", "pk")
    )
    dice.shuffle(rows)
    rows.sort(key=lambda row: row[:2])
    picks = list(enumerate(sampling.evenly(rows, calls, dice)))
    dice.shuffle(picks)
    for number, (_market, _period, pk) in picks:
        if task := _task(pk, age=number, dice=dice):
            yield task


def _task(pk: int, *, age: int, dice: Random) -> Task | None:
    row = Coverage.objects.select_related("stock").filter(pk=pk).first()
    history = row and _history(row)
    if not (row and history):
        return None
    window = sampling.window_of(history, row.period, age=age, dice=dice)
    return Task(
        stock_id=row.stock_id,
        market=row.stock.market,
        code=row.stock.stock_code,
        period=row.period,
        windows=(window,),
        covered=row.window,
        final=row.end_date,
    )


def _history(row: Coverage) -> Window | None:
    """覆盖范围里从第一根 K 线起的部分:以前可能还没有上市。"""
    bars = Kline.objects.of(
        row.stock, period=row.period, start=row.start_date, end=row.end_date
    )
    first = bars.order_by("time").values_list("time", flat=True).first()
    if first is None:
        return None
    day = markets.trade_date(first, market=row.stock.market, period=row.period)
    whole = coverage.whole_from(row.start_date, row.period)
    return Window(min(max(day, whole), row.end_date), row.end_date)
