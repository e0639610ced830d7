"""首页的概况:失败、Token、运行、各市场到哪一天了。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from sync import services
from sync.models import FailureStatus, SyncFailure, SyncRun
from sync.models.permissions import Permission
from tokens.models import ApiToken

from ..display import asked, failures_url, state_badge, who
from ..failures.reasons import NO_REASON, reason_label
from ..runs.progress import Progress, progress_of

RUNS = 5


@dataclass(frozen=True, slots=True)
class Waiting:
    """一种原因的等待中的失败。"""

    label: str
    count: int
    url: str


def overview(request: HttpRequest) -> dict[str, Any]:
    """首页要的一切;没有 stock:sync:list 的人只有应用列表。"""
    user, at = request.user, timezone.now()
    if not user.has_perm(Permission.LIST):
        return {"overview": False}
    waiting = _waiting()
    return {
        "overview": True,
        "waiting": waiting,
        "waiting_total": sum(row.count for row in waiting),
        "waiting_url": failures_url(status=FailureStatus.WAITING.value),
        "tokens": (
            ApiToken.objects.summary(at=at)
            if user.has_perm("tokens.view_apitoken")
            else None
        ),
        "running": _running(at),
        "latest": _latest(),
        "markets": services.freshness(at=at),
        "verified": _verified(at),
        "may_run": user.has_perm(Permission.RUN),
    }


def _verified(at: datetime) -> dict[str, Any] | None:
    """最近抽查的结果,比例用百分数;没有抽查过是 None。"""
    found, rate = services.verified_lately(at=at)
    if rate is None:
        return None
    shares = {"rate": rate.rate, "low": rate.low, "high": rate.high}
    percents = {name: f"{share:.2%}" for name, share in shares.items()}
    return {"bars": found.bars, "calls": found.calls, **percents}


def _waiting() -> list[Waiting]:
    counted = SyncFailure.objects.waiting().count_by("reason_class")
    status = FailureStatus.WAITING.value
    return [
        Waiting(
            label=reason_label(reason),
            count=count,
            url=failures_url(status=status, reason=reason or NO_REASON),
        )
        for reason, count in counted.items()
    ]


def _running(at: datetime) -> list[Progress]:
    return [progress_of(run, at=at) for run in SyncRun.objects.active()]


def _latest() -> list[tuple[SyncRun, str, str, str]]:
    runs = SyncRun.objects.all()[:RUNS]
    return [(run, state_badge(run), asked(run), who(run.requested_by)) for run in runs]
