"""运行的页面的测试共用的。"""

from __future__ import annotations

from datetime import timedelta

from django.urls import reverse

from sync.models import Stock, SyncRun

SECOND = timedelta(seconds=1)


def page_of(made: SyncRun, name: str = "change") -> str:
    return reverse(f"admin:sync_syncrun_{name}", args=[made.pk])


def stocks(count: int, market: str = "HK") -> None:
    Stock.objects.bulk_create(
        Stock(market=market, stock_code=str(number)) for number in range(count)
    )
