"""记下每个序列从哪根 K 线起变了,在写 K 线的事务里。

A row for each series and day, so that a top-up each day costs a row each day. What is
older than the rows is not known, see `services.exporting.changes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from django.db import connection

Key = tuple[int, str]
Changes = dict[Key, datetime]
# Of a series that was replaced: before any bar.
ALL = datetime(1900, 1, 1, tzinfo=UTC)
COLUMNS = "stock_id, period, day, since, changed_at"
TOGETHER = 100  # rows to a statement, some of SQLite's take 999 values at most


def earliest(*several: Mapping[Key, datetime]) -> Changes:
    """合成一份:一个序列取最早的。"""
    found: Changes = {}
    for changes in several:
        for key, since in changes.items():
            found[key] = min(since, found.get(key, since))
    return found


def note_changes(changes: Mapping[Key, datetime], *, at: datetime) -> None:
    """记下这些序列从各自的时间起变了;当天记过的合在一起。"""
    # Always in one order, so that two writers do not wait for each other.
    rows = [
        (stock_id, period, f"{at:%Y-%m-%d}", _text(since), _text(at))
        for (stock_id, period), since in sorted(changes.items())
    ]
    with connection.cursor() as cursor:
        for first in range(0, len(rows), TOGETHER):
            some = rows[first : first + TOGETHER]
            values = ", ".join(["(%s, %s, %s, %s, %s)"] * len(some))
            cursor.execute(_upsert(values), [each for row in some for each in row])


def _text(moment: datetime) -> str:
    """As Django writes it; SQLite compares it as text."""
    return str(moment.astimezone(UTC).replace(tzinfo=None))


def _upsert(values: str) -> str:
    head = f"INSERT INTO stk_series_change ({COLUMNS}) VALUES {values} "  # noqa: S608
    if connection.vendor == "mysql":
        return head + (
            "ON DUPLICATE KEY UPDATE since = LEAST(since, VALUES(since)), "
            "changed_at = GREATEST(changed_at, VALUES(changed_at))"
        )
    return head + (
        "ON CONFLICT (stock_id, period, day) DO UPDATE SET "
        "since = MIN(since, excluded.since), "
        "changed_at = MAX(changed_at, excluded.changed_at)"
    )
