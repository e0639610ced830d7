"""各市场的日 K 线新到哪一天,和交易所最后一个交易日相比。

What is there is told by the bars; the coverage tells what was asked for, also where the
provider had nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import FilteredRelation, OuterRef, Q, QuerySet, Subquery

from sync.engine import markets
from sync.engine.coverage import DAY
from sync.engine.ports import Window
from sync.models import Kline, MarketDay, Stock

from ..calendars.sessions import calendar_until

PERIOD = "day"
LATELY = timedelta(days=30)  # no exchange is closed for longer


@dataclass(frozen=True, slots=True)
class Freshness:
    """一个市场的日 K 线有多新。

    `session` is the exchange's last one that is over, `newest` the day of the newest
    bar, `sessions_late` how many sessions lie between them. `late` counts stocks with
    neither a bar of the last session nor an answer about it, `empty` those without any
    bar. `missing` are the bars that the audit misses of the last session, None where
    nobody has counted since it closed.
    """

    market: str
    stocks: int
    session: date
    newest: date | None
    sessions_late: int
    late: int
    empty: int
    missing: int | None = None


def freshness(*, at: datetime) -> list[Freshness]:
    """看每个有股票的市场的日 K 线新到哪一天。

    Few queries: for each stock a look-up in the index of the K-lines.
    """
    daily = FilteredRelation("coverage", condition=Q(coverage__period=PERIOD))
    stocks = Stock.objects.expected(PERIOD).annotate(
        daily=daily, newest=newest_bar(PERIOD)
    )
    found: dict[str, Counter[tuple[date | None, date | None]]] = {}
    rows = stocks.order_by().values_list("market", "newest", "daily__end_date")
    for market, newest, end in rows.iterator():
        counted = found.setdefault(market, Counter())
        counted[newest.date() if newest else None, end] += 1
    known = sorted(set(found) & set(markets.MARKETS))
    audited = _audited(at=at)
    return [
        _freshness(market, found[market], audited.get(market, {}), at=at)
        for market in known
    ]


def newest_bars(stocks: Sequence[Stock]) -> dict[int, date]:
    """这些股票的最新一根日 K 线各是哪一天的;没有的不在其中。"""
    rows = Stock.objects.filter(pk__in=[stock.pk for stock in stocks])
    found = rows.annotate(newest=newest_bar(PERIOD)).exclude(newest=None)
    pairs = found.order_by().values_list("pk", "newest")
    return {pk: newest.date() for pk, newest in pairs}


def newest_bar(period: str) -> Subquery:
    """一只股票最新的 K 线的时间,给 Stock 的查询用。

    Along the primary key, a look-up for each stock: MAX() would read every bar.
    """
    bars: QuerySet[Kline] = Kline.objects.filter(stock_id=OuterRef("pk"), period=period)
    return Subquery(bars.order_by("-time").values("time")[:1])


def _audited(*, at: datetime) -> dict[str, dict[date, MarketDay]]:
    """各市场最近的市场日。"""
    found: dict[str, dict[date, MarketDay]] = {}
    since = at.date() - LATELY
    for row in MarketDay.objects.filter(period=PERIOD, day__gte=since):
        found.setdefault(row.market, {})[row.day] = row
    return found


def _missing(row: MarketDay | None, *, close: datetime) -> int | None:
    """收盘以后核对出来缺几根;没有核对过返回 None。"""
    counted = row.current_since if row else None
    return row.missing if row and counted and counted >= close else None


def _freshness(
    market: str,
    counted: Counter[tuple[date | None, date | None]],
    audited: Mapping[date, MarketDay],
    *,
    at: datetime,
) -> Freshness:
    """`counted`: how many stocks have which newest bar and end of the coverage."""
    final = markets.last_final(market, at=at)
    calendar = calendar_until(market, final)
    session = calendar.last_session(final)
    newest = max((bar for bar, _end in counted if bar), default=None)
    late = sum(
        count
        for (bar, end), count in counted.items()
        if bar and max(bar, end or bar) < session
    )
    return Freshness(
        market=market,
        stocks=counted.total(),
        session=session,
        newest=newest,
        sessions_late=(
            len(calendar.sessions(Window(newest + DAY, session))) if newest else 0
        ),
        late=late,
        empty=sum(count for (bar, _end), count in counted.items() if bar is None),
        missing=_missing(audited.get(session), close=calendar.close(session)),
    )
