"""要核对什么:每只股票应该在哪些日子有 K 线。

All queries go by a few hundred stocks, which keeps each well below the database's
timeout, and memory small.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from django.db.models import OuterRef, Subquery

from sync.engine import coverage, markets
from sync.engine.ports import Window
from sync.models import Coverage, Kline, Stock

from .freshness import newest_bar

CHUNK = 500  # stocks to a query
Spans = dict[Window, "array[int]"]


@dataclass(frozen=True, slots=True)
class Day:
    """一个交易日(周、月是它们的第一天)里,应该有和真的有的 K 线根数。"""

    day: date
    have: int
    of: int


def spans_of(market: str, period: str, *, window: Window) -> Spans:
    """按区间给出股票的编号:区间里每个交易日都应该有 K 线。

    What was asked for, within the stock's coverage, from its first bar on, and of one
    that is gone to its last. For week and month the ends are first days of units.
    """
    rows = Coverage.objects.filter(
        stock__market=market,
        stock__deleted=False,
        period=period,
        start_date__lte=window.end,
        end_date__gte=window.start,
    )
    columns = rows.values_list("stock_id", "start_date", "end_date")
    covered = {stock_id: (start, end) for stock_id, start, end in columns}
    for stock_id, last in _last_bars_of_gone(market, period):
        if stock_id in covered:
            start, end = covered[stock_id]
            covered[stock_id] = (start, min(end, last))
    spans: Spans = {}
    for chunk in chunks(array("q", sorted(covered)), CHUNK):
        for stock_id, listed in first_bars(chunk, market=market, period=period):
            start, end = covered[stock_id]
            start = max(markets.unit_start(max(start, window.start), period), listed)
            end = markets.unit_start(
                coverage.last_whole(min(end, window.end), period), period
            )
            if start <= end:
                spans.setdefault(Window(start, end), array("q")).append(stock_id)
    return spans


def first_bars(
    ids: Sequence[int], *, market: str, period: str
) -> list[tuple[int, date]]:
    """列出每只股票的第一根 K 线是哪天的:之前当作还没有上市。"""
    # A look-up in the index for each: MIN() would read every bar there is.
    bars = Kline.objects.filter(stock_id=OuterRef("pk"), period=period)
    oldest = Subquery(bars.order_by("time").values("time")[:1])
    stocks = Stock.objects.filter(pk__in=ids).annotate(first=oldest)
    firsts = stocks.exclude(first=None).order_by().values_list("pk", "first")
    return [
        (stock_id, markets.trade_date(first, market=market, period=period))
        for stock_id, first in firsts
    ]


def _last_bars_of_gone(market: str, period: str) -> list[tuple[int, date]]:
    """不再有了的股票的最后一根 K 线:之后什么也不该有。"""
    stocks = Stock.objects.filter(market=market).gone(period)
    found = stocks.annotate(last=newest_bar(period)).exclude(last=None).order_by()
    return [
        (stock_id, markets.trade_date(last, market=market, period=period))
        for stock_id, last in found.values_list("pk", "last")
    ]


def midnight(day: date) -> datetime:
    """返回这一天零点(UTC):日、周、月的 K 线存在这个时间。"""
    return datetime.combine(day, time.min, UTC)


def chunks(ids: array[int], size: int) -> Iterator[array[int]]:
    """把编号分成几份,每份至多 `size` 个。"""
    return (ids[first : first + size] for first in range(0, len(ids), size))
