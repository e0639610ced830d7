"""一次运行一共有几只股票,还有几只没有结果。"""

from __future__ import annotations

from django.core.cache import cache

from sync.models import RunKind, RunState, SyncFailure, SyncRun

from ..tokens.quota_today import Wanted
from ..work.batch import count_of

HOUR = 3600
MET_ALL = (RunState.SUCCEEDED, RunState.PARTIAL)


def total_of(run: SyncRun) -> int:
    """数出一次运行的股票;至少是已经有结果的。

    One that stopped on its way, or left markets out, has not met all its stocks.
    """
    met_all = run.state in MET_ALL and not run.unserved
    total = run.stocks if met_all else max(run.stocks, _asked_for(run))
    return max(total, _done(run))


def wanted() -> list[Wanted]:
    """列出还没有结束的运行,和它们各还有几只股票没有结果。"""
    runs = SyncRun.objects.active().order_by("pk")
    return [Wanted(run, total_of(run) - _done(run)) for run in runs]


def _done(run: SyncRun) -> int:
    return run.succeeded + run.failed + run.skipped


def _asked_for(run: SyncRun) -> int:
    if run.kind != RunKind.RETRY:
        return count_of(run)
    # Rows leave the waiting ones as they are settled, and counting the stocks of all
    # takes a while: once an hour, not every two seconds.
    key = f"run-{run.pk}-{run.created_at.timestamp()}-stocks"
    return int(cache.get_or_set(key, lambda: _stocks_held(run), HOUR) or 0)


def _stocks_held(run: SyncRun) -> int:
    rows = SyncFailure.objects.filter(run=run).order_by()
    return rows.values("market", "stock_code", "period").distinct().count()
