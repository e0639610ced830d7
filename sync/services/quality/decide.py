"""由人决定的历史:保留存下的,还是换成服务商现在给的。"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import OuterRef, Subquery

from common.activity import FEW, note_each
from sync.models import Coverage, RestatementState, Verb
from sync.models.corrections import RestatementQuerySet


def keep_history(rows: RestatementQuerySet, *, by: str, at: datetime) -> int:
    """保留存下的历史,以后只补新的;返回改了几个。

    What is covered today is compared no more. Rows that wait for nobody's decision are
    left alone.
    """
    covered = Coverage.objects.filter(
        stock=OuterRef("stock"), period=OuterRef("period")
    )
    return _decided(
        rows,
        Verb.HISTORY_KEPT,
        state=RestatementState.KEPT,
        open=None,
        kept_until=Subquery(covered.values("end_date")[:1]),
        decided_by=by,
        ended_at=at,
    )


def take_over_history(rows: RestatementQuerySet, *, by: str) -> int:
    """让下一次运行把整个历史换成服务商现在给的,有多少是多少;返回改了几个。"""
    return _decided(
        rows,
        Verb.HISTORY_TAKEN,
        state=RestatementState.WAITING,
        decided_by=by,
        attempts=0,
    )


def _decided(rows: RestatementQuerySet, verb: Verb, **columns: object) -> int:
    with transaction.atomic():
        few = [row.stock for row in rows.flagged().select_related("stock")[: FEW + 1]]
        count = rows.flagged().update(**columns)
        if count:
            note_each(verb, few, count)
    return count
