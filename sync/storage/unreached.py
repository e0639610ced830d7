"""没有够到的历史怎样随取到的结果变化。"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import connection

from tokens.models import ApiToken

from ..engine.ports import Part
from ..models import UnreachedHistory

COLUMNS = ("before", "wanted_from", "bars", "doubt", "asked", "noted_at")


def write_unreached(parts: Sequence[Part], *, at: datetime) -> None:
    """记下这些段没有够到的历史;够到了的删掉。在写 K 线的事务里。

    What nobody was asked about stays as it is: the month counts from when somebody was.
    """
    told = {
        (part.task.stock_id, part.task.period): part
        for part in parts
        if part.unreached != part.task.unreached
    }
    gone: dict[str, list[int]] = {}
    for (stock_id, period), part in told.items():
        if part.unreached is None:
            gone.setdefault(period, []).append(stock_id)
    for period, stocks in gone.items():
        UnreachedHistory.objects.of(stocks, period).delete()
    if still := [part for part in told.values() if part.unreached]:
        _upsert(still, at=at)


def _upsert(parts: Sequence[Part], *, at: datetime) -> None:
    revisions = _revisions(parts)
    rows = []
    for part in sorted(parts, key=lambda part: part.task.stock_id):
        assert part.unreached
        place, asked = part.unreached.place, part.unreached.asked
        row = UnreachedHistory(
            stock_id=part.task.stock_id,
            period=part.task.period,
            before=place.day,
            wanted_from=part.unreached.wanted,
            bars=place.bars,
            doubt=place.doubt,
            asked={str(n): revisions[n] for n in sorted(asked) if n in revisions},
            noted_at=at,
        )
        rows.append(row)
    targeted = connection.features.supports_update_conflicts_with_target
    UnreachedHistory.objects.bulk_create(
        rows,
        update_conflicts=True,
        update_fields=COLUMNS,
        unique_fields=("stock", "period") if targeted else None,
    )


def _revisions(parts: Iterable[Part]) -> dict[int, int]:
    asked = {n for part in parts if part.unreached for n in part.unreached.asked}
    tokens = ApiToken.objects.filter(pk__in=asked)
    return dict(tokens.values_list("pk", "plan_revision"))
