"""最近一天的运行,给时间轴用。"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from sync.models import SyncRun
from sync.models.runs import ACTIVE

# A day has a few dozen; nobody reads more on one picture.
MOST = 300


def runs_since(since: datetime) -> list[SyncRun]:
    """列出 `since` 以后还在进行或者才结束的运行,新的在前,至多 300 次。

    Those that never began are left out.
    """
    recent = Q(finished_at__gte=since) | Q(state__in=ACTIVE)
    runs = SyncRun.objects.filter(recent, started_at__isnull=False)
    columns = ("tokens_per_thread", "request_key", "error", "reasons")
    return list(runs.defer(*columns).order_by("-pk")[:MOST])
