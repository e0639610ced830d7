"""演习的结果,给人看的表。"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from .report import Outcome

COLUMNS = (
    *("fault", "times", "K-lines compared", "lost or wrong", "calls"),
    *("asked twice", "reserved in vain", "seconds", "verdict"),
)


def table(outcomes: Sequence[Outcome]) -> Table:
    """终端上的表。"""
    made = Table(*COLUMNS)
    for column in made.columns[1:-1]:
        column.justify = "right"
    for each, cells in zip(outcomes, _rows(outcomes), strict=True):
        made.add_row(*cells, style="" if each.good else "red")
    return made


def markdown(outcomes: Sequence[Outcome]) -> str:
    """文档里的表。"""
    rule = ("---", *("---:" for _ in COLUMNS[1:-1]), "---")
    rows = (COLUMNS, rule, *_rows(outcomes))
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def _rows(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, ...]]:
    for each in outcomes:
        numbers = (each.times, each.klines, len(each.wrong), each.calls)
        done = (each.repeated, each.given_up, round(each.seconds))
        shown = (f"{number:,}" for number in (*numbers, *done))
        yield each.text, *shown, _verdict(each)


def _verdict(outcome: Outcome) -> str:
    if outcome.planted:
        return "found" if outcome.good else "NOT FOUND"
    return "held" if outcome.good else "FAILED"
