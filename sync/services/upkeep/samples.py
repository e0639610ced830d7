"""样本和大事保留多久:结束了的运行的样本变稀,太旧的删掉。"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count

from sync.models import RunEvent, RunSample, SyncRun
from sync.models.samples import KEPT


def clean_samples(*, at: datetime) -> int:
    """删除太旧的样本和大事,结束了的运行的样本只留一部分;返回删掉了几行。"""
    before = at - timedelta(days=settings.STOCK_SYNC_KEEP_SAMPLES_DAYS)
    old = SyncRun.objects.filter(finished_at__lt=before).values("pk")
    events, _ = RunEvent.objects.filter(run__in=old).delete()
    samples, _ = RunSample.objects.filter(run__in=old).delete()
    return events + samples + sum(map(RunSample.objects.thin, _thick()))


def _thick() -> list[int]:
    ended = SyncRun.objects.exclude(finished_at=None).values("pk")
    counted = RunSample.objects.filter(run__in=ended).order_by().values_list("run_id")
    return [pk for pk, n in counted.annotate(n=Count("pk")) if n > KEPT]
