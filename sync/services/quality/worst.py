"""一个市场里缺得最多的股票,最近六十个交易日一天一天地看。"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from heapq import nlargest

from django.db.models import Count

from sync.engine import markets
from sync.engine.ports import Window
from sync.models import Coverage, Kline, MarketDay, Stock

from .audit import failures_of, judged, suspensions_of
from .freshness import LATELY, SESSIONS
from .lacking import Lack
from .spans import CHUNK, chunks, first_bars, midnight

PERIOD = "day"
MOST = 20
# Looked at closely; some of them were only suspended, or listed lately.
CANDIDATES = 3 * MOST
KINDS = {"hole": Lack.HOLE, "waiting": Lack.FAILED, "suspended": Lack.SUSPENDED}


@dataclass(frozen=True, slots=True)
class StockDays:
    """一只股票的最近几天:有 K 线的是空的,缺的说为什么,不知道的是 None。"""

    stock: Stock
    missing: int
    days: list[tuple[date, Lack | str | None]]


def worst_stocks(market: str, *, at: datetime) -> list[StockDays]:
    """列出缺日 K 线最多的至多二十只股票,多的在前;停牌的不算缺,没有了的不在其中。

    Only days that were audited, and on which the market traded. A count for each stock
    first, then the days of those that fall short. None of a market that does not exist.
    """
    if market not in markets.MARKETS:
        return []
    since = markets.last_final(market, at=at) - LATELY
    rows = MarketDay.objects.filter(market=market, period=PERIOD, day__gte=since)
    days = sorted(rows.filter(present__gt=0).values_list("day", flat=True))[-SESSIONS:]
    if not days:
        return []
    short = _short(market, days)
    candidates = nlargest(CANDIDATES, short, key=lambda pk: short[pk])
    found = [row for row in _looked_at(market, days, candidates) if row.missing]
    return sorted(found, key=lambda row: (-row.missing, row.stock.stock_code))[:MOST]


def _short(market: str, days: Sequence[date]) -> dict[int, int]:
    """哪些股票的 K 线比覆盖的交易日少,少几根。"""
    window = Window(days[0], days[-1])
    covers = Coverage.objects.filter(
        stock__in=Stock.objects.expected(PERIOD).filter(market=market),
        period=PERIOD,
        start_date__lte=window.end,
        end_date__gte=window.start,
    ).values_list("stock_id", "start_date", "end_date")
    due = {pk: _sessions(days, start, end) for pk, start, end in covers}
    short: dict[int, int] = {}
    for chunk in chunks(array("q", sorted(due)), CHUNK):
        bars = Kline.objects.filter(stock_id__in=chunk, period=PERIOD).filter(
            time__range=(midnight(window.start), midnight(window.end))
        )
        counted = dict(
            bars.order_by().values_list("stock_id").annotate(n=Count("time"))
        )
        short |= {pk: due[pk] - counted.get(pk, 0) for pk in chunk}
    return {pk: lack for pk, lack in short.items() if lack > 0}


def _sessions(days: Sequence[date], start: date, end: date) -> int:
    return bisect_right(days, end) - bisect_left(days, start)


def _looked_at(
    market: str, days: Sequence[date], ids: Sequence[int]
) -> list[StockDays]:
    stocks = Stock.objects.in_bulk(ids)
    codes = [stock.stock_code for stock in stocks.values()]
    failures = failures_of(market, PERIOD, codes)
    idle = suspensions_of(PERIOD, ids)
    covers = {
        row.stock_id: row.window
        for row in Coverage.objects.filter(stock_id__in=ids, period=PERIOD)
    }
    have = _bars(days, ids)
    firsts = dict(first_bars(ids, market=market, period=PERIOD))
    found = []
    for pk, stock in stocks.items():
        there, cover = have.get(pk, set()), covers[pk]
        since = max(firsts[pk], cover.start) if pk in firsts else date.max
        absent = [day for day in days if day >= since and day not in there]
        due = [day for day in absent if day <= cover.end]
        rows = failures.get(stock.stock_code, [])
        kinds = judged(stock, due, rows, idle.get(pk, []), traded=days)
        told: dict[date, Lack | str] = dict.fromkeys(there, "")
        told |= dict.fromkeys(absent, Lack.LATE)
        told |= {day: KINDS[kind] for day, kind in kinds.items()}
        lacks = sum(kind in {Lack.HOLE, Lack.FAILED} for kind in told.values())
        found.append(StockDays(stock, lacks, [(day, told.get(day)) for day in days]))
    return found


def _bars(days: Sequence[date], ids: Sequence[int]) -> dict[int, set[date]]:
    bars = Kline.objects.filter(
        stock_id__in=ids,
        period=PERIOD,
        time__range=(midnight(days[0]), midnight(days[-1])),
    )
    found: dict[int, set[date]] = {}
    for pk, moment in bars.order_by().values_list("stock_id", "time"):
        found.setdefault(pk, set()).add(moment.date())
    return found
