"""目录:每只股票每种周期存着什么。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from sync.engine.periods import PERIODS
from sync.models import Coverage, Kline, Stock


@dataclass(frozen=True, slots=True)
class StoredPeriod:
    """一只股票一种周期存着的:覆盖的日期,第一根和最后一根 K 线的时间。

    Either may be missing: dates are covered although the provider had nothing, and the
    newest bars are stored before their day is final.
    """

    period: str
    covered_from: date | None
    covered_to: date | None
    first_bar: datetime | None
    last_bar: datetime | None


def catalogue(stocks: Sequence[Stock]) -> dict[int, list[StoredPeriod]]:
    """列出这些股票各存着哪些周期,按周期从短到长;什么都没有的是空的列表。

    Two queries, however many stocks: their coverage; and for each stock and period two
    look-ups along the primary key, for MIN() and MAX() would read every bar.
    """
    ids = [stock.pk for stock in stocks]
    coverage = Coverage.objects.filter(stock__in=ids)
    covered = {(row.stock_id, row.period): row for row in coverage}
    found: dict[int, list[StoredPeriod]] = {pk: [] for pk in ids}
    for row in _with_ends(ids):
        for period in PERIODS:
            dates = covered.get((row["pk"], period))
            first, last = row[f"first_{period}"], row[f"last_{period}"]
            if dates or first:
                start, end = (
                    (dates.start_date, dates.end_date) if dates else (None,) * 2
                )
                found[row["pk"]].append(StoredPeriod(period, start, end, first, last))
    return found


def _with_ends(ids: Sequence[int]) -> QuerySet[Any, dict[str, Any]]:
    ends = {f"first_{period}": _bar(period, "time") for period in PERIODS}
    ends |= {f"last_{period}": _bar(period, "-time") for period in PERIODS}
    rows: QuerySet[Any] = Stock.objects.filter(pk__in=ids).annotate(**ends)
    return rows.values("pk", *ends)


def _bar(period: str, order: str) -> Subquery:
    bars: QuerySet[Kline] = Kline.objects.filter(stock_id=OuterRef("pk"), period=period)
    return Subquery(bars.order_by(order).values("time")[:1])
