"""由人决定的失败记录:放弃,或者重新打开。"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from common.activity import FEW, note_each
from sync.models import FailureStatus, SyncFailure, Verb
from sync.models.failures import SyncFailureQuerySet


def give_up(rows: SyncFailureQuerySet, *, at: datetime, by: str) -> int:
    """放弃其中等待着的,记下是谁;返回放弃了几条。"""
    with transaction.atomic():
        few = _few(rows.waiting())
        count = rows.give_up(at=at, by=by)
        if count:
            note_each(Verb.FAILURES_GIVEN_UP, few, count)
    return count


def reopen(rows: SyncFailureQuerySet, *, at: datetime, by: str) -> int:
    """让其中放弃了的重新等待补拉,记下是谁;返回几条。"""
    with transaction.atomic():
        few = _few(rows.filter(status=FailureStatus.GIVEN_UP))
        count = rows.reopen(at=at, by=by)
        if count:
            note_each(Verb.FAILURES_REOPENED, few, count)
    return count


def _few(rows: SyncFailureQuerySet) -> list[SyncFailure]:
    named = rows.only("market", "stock_code", "start_date", "end_date")
    return list(named[: FEW + 1])
