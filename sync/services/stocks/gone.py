"""没有了的股票:一天的回答算不算数,够不够断定。"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import date, datetime

from django.db import transaction

from sync.engine import silence
from sync.engine.silence import Nothing, Silence
from sync.models import Coverage, SilentStock, Stock, SyncFailure
from sync.models.failures import LASTING

logger = logging.getLogger(__name__)


def weigh_silence(market: str, period: str, *, at: datetime) -> int:
    """衡量一个市场里服务商说没有的股票,返回新算作没有了的有几只。

    To be called when a run is through with the market; again at any time, for each
    day's answer counts once. What is gone waits for no retry any more.
    """
    pending = SilentStock.objects.filter(
        stock__market=market, period=period, pending=True, gone_at=None
    )
    rows = list(pending.select_related("stock"))
    if not rows:
        return 0
    with transaction.atomic():
        counted = [row for row in rows if _believed(row, rows, market) and _count(row)]
        traded = set(
            Coverage.objects.filter(
                stock__in=[row.stock_id for row in counted], period=period
            ).values_list("stock_id", flat=True)
        )
        gone = [row for row in counted if _is_gone(row, traded=row.stock_id in traded)]
        for row in gone:
            _let_go(row, at=at)
    return len(gone)


def note_listed(market: str, codes: Collection[str], *, at: datetime) -> None:
    """记下服务商的列表里有哪些股票、没有了哪些;重新有了的马上再问。

    A list that lacks most of a market is cut short, and says nothing of what it lacks.
    """
    named = set(codes)
    stocks = Stock.objects.active().filter(market=market).order_by()
    rows = list(stocks.values_list("pk", "stock_code", "unlisted_at"))
    absent = {pk for pk, code, _ in rows if code not in named}
    back = {pk for pk, code, since in rows if code in named and since}
    with transaction.atomic():
        SilentStock.objects.filter(stock_id__in=back).delete()
        Stock.objects.filter(pk__in=back).update(unlisted_at=None)
        if len(absent) < len(named):
            lately = stocks.filter(pk__in=absent, unlisted_at=None)
            lately.update(unlisted_at=at)


def _believed(row: SilentStock, rows: list[SilentStock], market: str) -> bool:
    silent = sum(row.kind == each.kind and row.day == each.day for each in rows)
    fresh = _fresh(market, row.period, row.day)
    return silence.is_believed(Nothing(row.kind), silent=silent, fresh=fresh)


def _fresh(market: str, period: str, day: date) -> int:
    """有多少只股票这天的 K 线取到了。"""
    covered = Coverage.objects.filter(period=period, end_date__gte=day)
    return covered.filter(stock__market=market, stock__deleted=False).count()


def _count(row: SilentStock) -> bool:
    """这天的回答算一次;别人算过了返回 False。"""
    seen = SilentStock.objects.filter(pk=row.pk, day=row.day, pending=True)
    row.answers += 1
    return bool(seen.update(pending=False, answers=row.answers))


def _is_gone(row: SilentStock, *, traded: bool) -> bool:
    said = Silence(
        kind=Nothing(row.kind),
        answers=row.answers,
        since=row.since,
        day=row.day,
        traded=traded,
        listed=row.stock.unlisted_at is None,
    )
    return silence.is_gone(said)


def _let_go(row: SilentStock, *, at: datetime) -> None:
    SilentStock.objects.filter(pk=row.pk).update(gone_at=at)
    stock = row.stock
    SyncFailure.objects.filter(
        market=stock.market,
        stock_code=stock.stock_code,
        period=row.period,
        reason_class__in=LASTING,
    ).give_up(at=at)
    logger.warning(
        "%s is gone: the provider has had nothing of it on %d days, period %s",
        stock,
        row.answers,
        row.period,
        extra={"event": "stock.gone", "stock": str(stock)},
    )
