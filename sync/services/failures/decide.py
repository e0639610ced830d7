"""人对失败记录做的:放弃、重新打开、写一句备注。"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from common.activity import FEW, note, note_each
from sync.models import FailureNote, FailureStatus, SyncFailure, Verb
from sync.models.failures import SyncFailureQuerySet
from sync.models.notes import TEXT_LENGTH as NOTE_LENGTH

from ..errors import BadRequest


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


def note_failure(row: SyncFailure, text: str, *, at: datetime, by: str) -> FailureNote:
    """在一条记录上写一句备注;空白的抛出 BadRequest。"""
    words = " ".join(text.split())
    if not words:
        raise BadRequest("text", _("Write something."))
    if len(words) > NOTE_LENGTH:
        raise BadRequest("text", _("At most %d characters.") % NOTE_LENGTH)
    with transaction.atomic():
        noted = FailureNote.objects.create(failure=row, text=words, at=at, by=by)
        note(Verb.FAILURES_NOTED, row)
    return noted


def _few(rows: SyncFailureQuerySet) -> list[SyncFailure]:
    named = rows.only("market", "stock_code", "start_date", "end_date")
    return list(named[: FEW + 1])
