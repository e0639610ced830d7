"""一个文件夹里的文件:哪些股票、哪个区间,各在哪里。

period=day/market=HK/klines.csv            by market
period=day/market=HK/year=2024/klines.csv  by year
period=day/market=HK/700.csv               by stock
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import PurePosixPath
from urllib.parse import quote

from django.db.models import OuterRef, Subquery

from sync.engine.markets import trade_date, unit_start
from sync.engine.ports import Window
from sync.models import Kline, Stock

from ..checks import check_choice
from .request import ExportRequest, Listed, by_market

CHUNK = 500
# Letters of codes that a file name may have everywhere; others are written as %2F.
PLAIN = "&$^+_@-"


class By(StrEnum):
    """一个文件放什么。"""

    MARKET = "market"
    YEAR = "year"
    STOCK = "stock"


def export_layout(name: str) -> By:
    """读出一种排列;不认识时抛出 BadRequest。"""
    return By(check_choice("by", name, By))


@dataclass(frozen=True, slots=True)
class Target:
    """一个文件:在文件夹里的什么地方,一个市场的哪些股票,哪个区间。"""

    path: PurePosixPath
    stocks: Sequence[Listed]
    window: Window


def targets(
    request: ExportRequest, stocks: Sequence[Listed], *, by: By, suffix: str
) -> list[Target]:
    """列出一次导出的全部文件,按市场、年或代码排列;有的可能一行也没有。"""
    found: list[Target] = []
    for market, some in by_market(stocks).items():
        folder = PurePosixPath(f"period={request.made}", f"market={market}")
        whole = Target(folder / f"klines{suffix}", some, request.window)
        if by is By.STOCK:
            found += _by_stock(whole, suffix)
        elif by is By.YEAR:
            found += _by_year(whole, request)
        else:
            found.append(whole)
    return found


def _by_stock(whole: Target, suffix: str) -> Iterator[Target]:
    for stock in whole.stocks:
        name = quote(stock.code, safe=PLAIN) + suffix
        yield Target(whole.path.with_name(name), [stock], whole.window)


def _by_year(whole: Target, request: ExportRequest) -> Iterator[Target]:
    stored = _stored(whole.stocks, request.source)
    if stored is None:
        return
    # The week of the first day may belong to the year before.
    first = max(unit_start(stored.start, request.made), whole.window.start)
    last = min(stored.end, whole.window.end)
    for year in range(first.year, last.year + 1):
        start = max(date(year, 1, 1), whole.window.start)
        end = min(date(year, 12, 31), whole.window.end)
        path = whole.path.parent / f"year={year}" / whole.path.name
        yield Target(path, whole.stocks, Window(start, end))


def _stored(stocks: Sequence[Listed], period: str) -> Window | None:
    """这些股票最早和最晚的 K 线是哪天的;一根也没有时返回 None。

    Two look-ups along the primary key for each stock: MIN and MAX would read all bars.
    """
    bars = Kline.objects.filter(stock_id=OuterRef("pk"), period=period).values("time")
    rows = Stock.objects.order_by().annotate(
        first=Subquery(bars.order_by("time")[:1]),
        last=Subquery(bars.order_by("-time")[:1]),
    )
    days: list[date] = []
    for start in range(0, len(stocks), CHUNK):
        some = stocks[start : start + CHUNK]
        found = rows.filter(pk__in=[stock.pk for stock in some]).exclude(first=None)
        for pair in found.values_list("first", "last"):
            market = some[0].market
            days += (trade_date(time, market=market, period=period) for time in pair)
    return Window(min(days), max(days)) if days else None
