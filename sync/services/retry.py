"""补拉:把等待中的失败记录再取一遍。"""

from __future__ import annotations

import logging
from datetime import datetime

from django.conf import settings
from django.db import transaction

from ..engine import markets
from ..models import RunKind, Stock, SyncFailure, SyncRun
from ..models.failures import SyncFailureQuerySet
from .errors import AlreadyRunning, Refused
from .recovery import reap
from .requests import known, register, require_token

logger = logging.getLogger(__name__)

CHUNK = 500
NO_STOCK = "unknown_stock"


def retry_failed(
    *,
    at: datetime,
    stock_code: str = "",
    market: str = "",
    max_retry_count: int | None = None,
    rows: SyncFailureQuerySet | None = None,
    by: str = "",
    background: bool = False,
) -> SyncRun:
    """登记一次补拉,占有要补的记录;由 `execute` 执行。

    Of one stock, one market or all, or of `rows`; never rows that have been tried
    `max_retry_count` times. Raises Refused: bad values, no token enabled, and
    AlreadyRunning where another retry holds all the rows that there are.
    """
    most = settings.STOCK_SYNC_MAX_RETRY_COUNT if max_retry_count is None else None
    most = most or max_retry_count or 0
    if most < 1:
        raise Refused("The largest number of attempts must be 1 or more.")
    if market:
        known("market", market, markets.MARKETS)
    require_token([market] if market else [], at=at)
    reap(at=at)
    wanted = (SyncFailure.objects.all() if rows is None else rows).waiting(
        stock_code=stock_code, market=market, max_retry_count=most
    )
    with transaction.atomic():
        run = register(
            SyncRun(
                kind=RunKind.RETRY,
                market=market,
                codes=[stock_code] if stock_code else [],
                max_retry_count=most,
                requested_by=by,
            ),
            at=at,
            background=background,
        )
        if not wanted.claim(run_id=run.pk) and wanted.exists():
            raise AlreadyRunning(
                "A retry of these failures is running: wait for it or cancel it."
            )
        _sort_out(run, at=at)
    return run


def _sort_out(run: SyncRun, *, at: datetime) -> None:
    """放弃没法补的记录,给没有写市场的找到市场。"""
    held = SyncFailure.objects.held_by(run.pk).order_by()
    _refuse(
        held.exclude(period__in=list(markets.PERIODS)), "This period does not exist", at
    )
    codes = sorted(set(held.values_list("stock_code", flat=True)))
    for first in range(0, len(codes), CHUNK):
        chunk = codes[first : first + CHUNK]
        homes: dict[str, list[str]] = {}
        stocks = Stock.objects.active().filter(stock_code__in=chunk)
        for code, market in stocks.values_list("stock_code", "market"):
            homes.setdefault(code, []).append(market)
        _find_homes(held.filter(stock_code__in=chunk), homes, at=at)


def _find_homes(
    held: SyncFailureQuerySet, homes: dict[str, list[str]], *, at: datetime
) -> None:
    for code, market in set(held.values_list("stock_code", "market")):
        rows, found = held.filter(stock_code=code, market=market), homes.get(code, [])
        if market in found:
            continue
        if market or not found:
            _refuse(rows, "The stock does not exist (any more)", at)
        elif len(found) > 1:
            where = " and ".join(sorted(found))
            _refuse(rows, f"The stock exists in {where}: the market is missing", at)
        else:
            rows.update(market=found[0])


def _refuse(rows: SyncFailureQuerySet, text: str, at: datetime) -> None:
    if given_up := rows.give_up(at=at, reason=NO_STOCK, text=text):
        logger.warning("%d failures are given up: %s", given_up, text)
