"""抽样:从存下的序列里随机挑股票和区间。"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from random import Random

from sync.engine import markets, sampling
from sync.engine.ports import Task, Window
from sync.engine.sampling import Third
from sync.models import Coverage, Kline, Stock

SPARE = 3  # so many windows are drawn for each call


def stored_markets(wanted: Collection[str]) -> list[str]:
    """列出存有 K 线的市场;空表示全部。"""
    rows = Coverage.objects.filter(stock__in=Stock.objects.active())
    found = set(rows.order_by().values_list("stock__market", flat=True).distinct())
    known = found & set(markets.MARKETS)
    return sorted(known & set(wanted) if wanted else known)


def sampled(among: Collection[str], calls: int, *, dice: Random) -> Iterator[Task]:
    """逐个给出要比较的任务,没有重复的,各市场穿插着;`calls` 次请求多半够了。

    Windows of which nothing is stored (weekends, years before the listing) cost no call
    and are left out, so more are drawn than asked for: whoever takes `calls` of them
    has met each stratum by its share.
    """
    picks = sampling.evenly(_strata(among, dice=dice), calls * SPARE, dice)
    for first in range(SPARE):
        round_ = picks[first::SPARE]
        dice.shuffle(round_)
        for pk, number in round_:
            if task := _task(pk, number):
                yield task


def _strata(among: Collection[str], *, dice: Random) -> list[Third[int]]:
    """各市场、各周期里,先是全部旧的三分之一,然后是中间的和新的。"""
    rows = Coverage.objects.filter(
        stock__in=Stock.objects.expected(), stock__market__in=among
    ).values_list("stock__market", "period", "pk", "start_date", "end_date")
    strata = [
        (market, period, age, dice.random(), third)
        for market, period, pk, start, end in rows
        for age, third in enumerate(
            sampling.thirds(pk, sampling.page_count(Window(start, end), period))
        )
    ]
    strata.sort(key=lambda row: row[:4])
    return [row[-1] for row in strata]


def _task(pk: int, number: int) -> Task | None:
    row = Coverage.objects.select_related("stock").filter(pk=pk).first()
    if row is None:
        return None
    window = sampling.page_of(row.window, row.period, number)
    bars = Kline.objects.of(
        row.stock, period=row.period, start=window.start, end=window.end
    )
    if not bars.exists():
        return None
    return Task(
        stock_id=row.stock_id,
        market=row.stock.market,
        code=row.stock.stock_code,
        period=row.period,
        windows=(window,),
        covered=row.window,
        final=row.end_date,
    )
