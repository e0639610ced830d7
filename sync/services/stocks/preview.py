"""导入股票列表以前,先看会发生什么。"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from common.races import again_after_a_lost_race
from sync.models import Stock

from .files import read_stocks
from .rows import Listed, StockList, store


@dataclass(frozen=True, slots=True)
class StockPreview:
    """导入会新建、更新多少只股票,以及其中的前几只。"""

    listed: Listed
    created: list[Stock]
    updated: list[Stock]


def preview_stocks(
    data: bytes, *, most: int, now: Callable[[], datetime] = timezone.now
) -> StockPreview:
    """导入一次,看结果,再撤销。

    The import itself, so that the preview cannot differ from it. Raises Refused as the
    import does. `most` bounds each list; the figures are of all.
    """
    stocks = read_stocks(data)
    return again_after_a_lost_race(lambda: _preview(stocks, most=most, at=now()))


def _preview(stocks: StockList, *, most: int, at: datetime) -> StockPreview:
    with transaction.atomic():
        listed = store(stocks)
        rows = Stock.objects.order_by("market", "stock_code")
        # The rows that were written since: the import's own, for nobody else's
        # unfinished work can be seen here.
        created = list(rows.filter(created_at__gte=at)[:most])
        updated = list(rows.filter(updated_at__gte=at, created_at__lt=at)[:most])
        transaction.set_rollback(True)
    return StockPreview(listed, created, updated)
