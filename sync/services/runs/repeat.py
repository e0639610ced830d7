"""把一次运行再做一遍。"""

from __future__ import annotations

from datetime import datetime

from sync.models import RunKind, SyncFailure, SyncRun

from ..failures.retry import retry_failed
from .request import SyncRequest
from .start import start


def repeat(run_id: int, *, at: datetime, by: str = "") -> SyncRun:
    """在后台再做一遍同样的请求;补拉则是它还没补上的那些记录。

    Raises Refused as `start` and `retry_failed` do, and SyncRun.DoesNotExist.
    """
    run = SyncRun.objects.get(pk=run_id)
    if run.kind == RunKind.RETRY:
        rows = SyncFailure.objects.filter(run=run)
        return retry_failed(rows=rows, at=at, by=by, background=True)
    request = SyncRequest(
        start=run.window.start,
        end=run.window.end,
        markets=tuple(run.markets),
        codes=tuple(run.codes),
        period=run.period,
        force=run.force,
    )
    return start(request, at=at, by=by, background=True)
