"""比较过的股票:不用再请下一次同步来比较。"""

from __future__ import annotations

from collections.abc import Sequence

from ..engine.ports import Part
from ..models import Coverage


def note_compared(parts: Sequence[Part]) -> None:
    """要比较的那天问过了,就记下来;在写 K 线的事务里,比较之后。"""
    asked = {part.key: part.task.windows for part in parts if part.last}
    rows = Coverage.objects.filter(
        stock_id__in={stock_id for stock_id, _period in asked},
        compare_from__isnull=False,
    )
    done = [
        row.pk
        for row in rows
        if (day := row.compare_from)
        and any(
            window.start <= day <= window.end
            for window in asked.get((row.stock_id, row.period), ())
        )
    ]
    if done:
        Coverage.objects.filter(pk__in=done).update(compare_from=None)
