"""要比较的股票:什么也不缺,也要再问一次除权日前后的 K 线。"""

from __future__ import annotations

from sync.engine import coverage
from sync.engine.ports import Window
from sync.models import Coverage, SyncRun


def to_compare(run: SyncRun, market: str) -> dict[int, list[Window]]:
    """每只要比较的股票要问的区间,按编号。

    The day and the one before it: an answer shows a dozen older bars besides, and what
    a restatement has moved, it has moved in all of them.
    """
    rows = Coverage.objects.filter(
        stock__market=market, period=run.period, compare_from__isnull=False
    ).order_by()
    return {
        stock_id: [coverage.widen(Window(day - coverage.DAY, day), run.period)]
        for stock_id, day in rows.values_list("stock_id", "compare_from")
        if day
    }
