"""失败列表上面的矩阵:原因 × 市场,和各种前景的数目。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sync import services
from sync.models.counting import AtLeast
from sync.models.failures import FailureCell

from ..display import failures_url
from .reasons import NO_REASON, reason_label

Cells = Sequence[tuple[FailureCell, services.Acts]]
OPEN = (services.Acts.YOU, services.Acts.ITSELF)


@dataclass(frozen=True, slots=True)
class Figure:
    """矩阵里的一格:数目,它的列表,要不要人动手。"""

    count: int
    url: str
    urgent: bool


@dataclass(frozen=True, slots=True)
class Line:
    """一种原因,每个市场一格,没有的是 None。"""

    label: str
    url: str
    figures: list[Figure | None]


@dataclass(frozen=True, slots=True)
class Matrix:
    """原因 × 市场;没有失败时没有行。"""

    markets: list[str]
    lines: list[Line]


def matrix(cells: Cells, *, acts: str = "") -> Matrix:
    """一种前景的矩阵;没有选前景就是还没有了结的。"""
    wanted = {services.Acts(acts)} if acts else set(OPEN)
    shown = [(cell, of) for cell, of in cells if of in wanted]
    markets = sorted({cell.market for cell, _of in shown})
    reasons = sorted({cell.reason for cell, _of in shown})
    found = {(cell.reason, cell.market): (cell, of) for cell, of in shown}
    lines = []
    for reason in reasons:
        row = [found.get((reason, market)) for market in markets]
        figures = [_figure(*one, acts=acts) if one else None for one in row]
        url = _url(reason=reason or NO_REASON, acts=acts)
        lines.append(Line(reason_label(reason), url, figures))
    return Matrix(markets, sorted(lines, key=_size, reverse=True))


def shown_count(count: int, *, more: bool) -> int:
    """数目;没有数完的带一个加号。"""
    return AtLeast(count) if more else count


def _figure(cell: FailureCell, of: services.Acts, *, acts: str) -> Figure:
    url = _url(
        reason=cell.reason or NO_REASON,
        market=cell.market or NO_REASON,
        acts=acts,
        status="" if acts else str(cell.status),
    )
    count = shown_count(cell.count, more=cell.more)
    return Figure(count, url, of == services.Acts.YOU)


def _url(**wanted: str) -> str:
    return failures_url(**{name: value for name, value in wanted.items() if value})


def _size(line: Line) -> int:
    return sum(figure.count for figure in line.figures if figure)
