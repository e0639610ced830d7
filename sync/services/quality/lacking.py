"""一个市场的一天缺哪些股票,为什么缺,有没有人管。"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from itertools import islice

from django.db.models import FilteredRelation, Q

from sync.engine.coverage import unit_end
from sync.engine.markets import unit_start
from sync.engine.ports import Window
from sync.models import FailureStatus, Stock, SyncFailure
from sync.models.stocks import StockQuerySet

from ..calendars.sessions import Calendar
from ..checks import check_market, check_period
from .audit import (
    CHUNK,
    Found,
    failures_of,
    found_in,
    suspensions_of,
    units_of,
    was_in_vain,
)

MOST = 500  # of each kind; the count is of all


class Lack(StrEnum):
    """为什么缺。

    HOLE: nobody sees to it. FAILED: a failure waits to be fetched again. SUSPENDED: the
    stock did not trade, as far as anybody knows. LATE: not asked for yet. GONE: the
    provider has it no more.
    """

    HOLE = "hole"
    FAILED = "failed"
    LATE = "late"
    SUSPENDED = "suspended"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Lacking:
    """缺的一只股票;`bars` 是缺几根,`failure` 是管着它的失败记录。"""

    stock: Stock
    bars: int = 0
    failure: SyncFailure | None = None


@dataclass(slots=True)
class Group:
    """因为一样的原因缺的股票:至多 MOST 只,和一共几只。"""

    rows: list[Lacking] = field(default_factory=list)
    count: int = 0

    def add(self, row: Lacking) -> None:
        """加上一只。"""
        self.count += 1
        if len(self.rows) < MOST:
            self.rows.append(row)

    def sort(self) -> None:
        """按代码排好。"""
        self.rows.sort(key=lambda row: row.stock.stock_code)


def lacking(market: str, period: str, day: date) -> dict[Lack, Group]:
    """按原因列出一个市场这一天(周、月是所在的那个)缺 K 线的股票。

    Counted anew from the bars, as the audit would. Raises BadRequest for bad values.
    """
    check_market(market)
    check_period(period)
    window = window_of(day, period)
    groups = {kind: Group() for kind in Lack}
    calendar = Calendar(market, window=window)
    found = found_in(calendar, period, window=window)
    missing = found.missing()
    while chunk := dict(islice(missing, CHUNK)):
        for kind, row in _judged(market, period, found, chunk):
            groups[kind].add(row)
    for group in groups.values():
        group.sort()
    here = Stock.objects.filter(market=market)
    covers = FilteredRelation("coverage", condition=Q(coverage__period=period))
    behind = Q(covers__end_date=None) | Q(covers__end_date__lt=window.start)
    late = here.expected(period).annotate(covers=covers).filter(behind)
    _fill(groups[Lack.LATE], late)
    _fill(groups[Lack.GONE], here.gone(period))
    return {kind: group for kind, group in groups.items() if group.count}


def window_of(day: date, period: str) -> Window:
    """返回一天所在的单位:日线是当天,周线、月线是那一周、那个月。"""
    start = unit_start(day, period)
    return Window(start, unit_end(start, period))


def _fill(group: Group, stocks: StockQuerySet) -> None:
    group.count = stocks.count()
    group.rows = [Lacking(one) for one in stocks.order_by("stock_code")[:MOST]]


def _judged(
    market: str, period: str, found: Found, chunk: dict[int, dict[date, int]]
) -> Iterator[tuple[Lack, Lacking]]:
    stocks = Stock.objects.in_bulk(chunk)
    codes = [stock.stock_code for stock in stocks.values()]
    failures = failures_of(market, period, codes)
    idle = suspensions_of(period, chunk)
    traded = found.traded
    for pk, days in chunk.items():
        stock = stocks[pk]
        for day, bars in days.items():
            rows = [
                row for row in failures.get(stock.stock_code, []) if _holds(row, day)
            ]
            waiting = [row for row in rows if row.status == FailureStatus.WAITING]
            if waiting:
                yield Lack.FAILED, Lacking(stock, bars, waiting[0])
            elif any(_holds(window, day) for window in idle.get(pk, ())):
                yield Lack.SUSPENDED, Lacking(stock, bars)
            elif vain := [
                row for row in rows if was_in_vain(row, stock, days=days, traded=traded)
            ]:
                yield Lack.SUSPENDED, Lacking(stock, bars, vain[0])
            else:
                yield Lack.HOLE, Lacking(stock, bars, next(iter(rows), None))


def _holds(row: SyncFailure | Window, day: date) -> bool:
    window = row if isinstance(row, Window) else units_of(row)
    return window.start <= day <= window.end
