"""抽查到的一段和存下的比较,结果和改正一起写下。"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from ..engine.ports import Part
from ..models import Verification
from ..models.verification import Compared
from .changes import note_changes
from .klines import read_coverage, write_klines
from .overlap import Judge
from .stored import Look
from .touched import Touched, mark


@transaction.atomic
def verify_part(part: Part, *, calls: int, at: datetime) -> Compared:
    """比较 `calls` 次请求取到的一段,改正不同的,记下结果;返回结果。

    What differs is treated as in any answer that shows stored bars again, see
    `overlap`; what the provider has no more is counted and stays.
    """
    covered = read_coverage({part.task.stock_id})
    judged = Judge(None, covered, at=at).judge([part])
    found = compared(judged.looks, calls=calls)
    write_klines([*judged.written, *judged.corrections])
    note_changes(judged.changed_from, at=at)
    mark(Touched().begin(judged.written), at=at)
    Verification.objects.add(part.task.market, at.date(), found)
    return found


def note_calls(market: str, calls: int, *, at: datetime) -> Compared:
    """记下没有带来可以比较的几次请求;返回结果。"""
    found = Compared(calls)
    with transaction.atomic():
        Verification.objects.add(market, at.date(), found)
    return found


def compared(looks: Sequence[Look], *, calls: int) -> Compared:
    """数出比较的结果;没有存下、服务商却有的算作不同。"""
    differ = sum(
        len(look.differing()) + sum(k.time not in look.stored for k in look.compared)
        for look in looks
    )
    bars = sum(len(look.compared) for look in looks)
    gone = sum(len(look.lacking()) for look in looks)
    return Compared(calls, bars + gone, bars - differ, differ, gone)
