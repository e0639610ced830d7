"""失败按原因和市场分组:412 × timeout。"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise

from sync.models import FailureStatus, SyncFailure

from ..display import failures_url
from .reasons import NO_REASON, reason_label


@dataclass(frozen=True, slots=True)
class Cell:
    """一个市场里的数目,和筛选出它们的地址。"""

    market: str
    count: int
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """一种原因:总数,和每个市场的数目,多的在前。"""

    label: str
    count: int
    url: str
    cells: list[Cell]


def grouped(status: str) -> dict[str, Any]:
    """一种状态的各组;不是状态就当作等待中。

    Read from one index, without the rows.
    """
    if status not in map(str, FailureStatus.values):
        status = str(FailureStatus.WAITING.value)
    groups = _groups(status)
    return {
        "groups": groups,
        "status": status,
        "total": sum(group.count for group in groups),
        "retryable": status == str(FailureStatus.WAITING.value),
        "statuses": _statuses(),
    }


def _statuses() -> list[tuple[str, str | Promise]]:
    return [(str(value), label) for value, label in FailureStatus.choices]


def _groups(status: str) -> list[Group]:
    rows = SyncFailure.objects.filter(status=int(status))
    found: dict[str, list[tuple[str, int]]] = {}
    for (reason, market), count in rows.count_by("reason_class", "market").items():
        found.setdefault(reason, []).append((market, count))
    groups = [_group(status, reason, cells) for reason, cells in found.items()]
    return sorted(groups, key=lambda group: -group.count)


def _group(status: str, reason: str, markets: list[tuple[str, int]]) -> Group:
    wanted: dict[str, str | int] = {"status": status, "reason": reason or NO_REASON}
    cells = [
        Cell(market, count, failures_url(**wanted, market=market or NO_REASON))
        for market, count in markets
    ]
    return Group(
        label=reason_label(reason),
        count=sum(cell.count for cell in cells),
        url=failures_url(**wanted),
        cells=cells,
    )
