"""清理:旧的运行和它们的样本、django-q2 自己的旧失败、旧的活动记录、Token 的旧历史。"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django_q.models import Task

from sync.models import Activity, Alert, FailureStatus, SyncFailure, SyncRun
from sync.models.runs import ACTIVE
from tokens import history

from ..exporting.changes import forget_changes
from .samples import clean_samples

logger = logging.getLogger(__name__)

KEEP_RUNS = timedelta(days=90)
KEEP_JOBS = timedelta(days=30)
KEEP_CHANGES = timedelta(days=400)
KEEP_ALERTS = timedelta(days=90)
CHUNK = 200


@dataclass(frozen=True, slots=True)
class Cleaned:
    """删掉了多少。"""

    runs: int
    jobs: int
    samples: int = 0
    activity: int = 0
    token_history: int = 0


def clean_up(*, at: datetime) -> Cleaned:
    """删除早已结束的运行、django-q2 早已失败的任务、太旧的活动记录。

    Kept for good: runs that have not ended, and runs that a failure points to which is
    still open or was given up, because they tell where it came from. Failures stay; one
    that was retried successfully merely loses its run. Samples: see `samples`.
    """
    forget_changes(before=at - KEEP_CHANGES)
    Alert.objects.filter(over_at__lt=at - KEEP_ALERTS).delete()
    cleaned = Cleaned(
        runs=_delete_runs(at - KEEP_RUNS),
        jobs=_delete_jobs(at),
        samples=clean_samples(at=at),
        activity=_delete_activity(at),
        token_history=history.forget(at=at),
    )
    logger.info(
        "Cleaned up: %d old runs, %d old failed jobs, %d samples of runs, "
        "%d lines of activity, %d rows of tokens' history",
        cleaned.runs,
        cleaned.jobs,
        cleaned.samples,
        cleaned.activity,
        cleaned.token_history,
        extra={"event": "rows.cleaned"},
    )
    return cleaned


def _delete_runs(before: datetime) -> int:
    unsettled = SyncFailure.objects.exclude(status=FailureStatus.DONE)
    needed = unsettled.exclude(run=None).order_by().values("run_id")
    old = (
        SyncRun.objects.filter(finished_at__lt=before)
        .exclude(state__in=ACTIVE)
        .exclude(pk__in=needed)
    )
    ids = list(old.order_by("pk").values_list("pk", flat=True))
    deleted = 0
    for first in range(0, len(ids), CHUNK):
        # The conditions once more: a failure may have been recorded since.
        _, by_model = old.filter(pk__in=ids[first : first + CHUNK]).delete()
        deleted += by_model.get("sync.SyncRun", 0)
    return deleted


def _delete_jobs(at: datetime) -> int:
    # django-q2 limits how many successes it keeps, and keeps failures for ever.
    failed = Task.objects.filter(success=False, stopped__lt=at - KEEP_JOBS)
    deleted, _by_model = failed.delete()
    return int(deleted)


def _delete_activity(at: datetime) -> int:
    keep = timedelta(days=settings.STOCK_SYNC_KEEP_ACTIVITY_DAYS)
    deleted, _by_model = Activity.objects.filter(at__lt=at - keep).delete()
    return deleted
