"""服务商怎样说拆股。

`data.content[]` of `c` code, `n` name, `r` region, `d` midnight UTC of the ex-date in
milliseconds, `v` the ratio as text, beside `last`, `totalElements` and the like.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from sync.engine import markets
from sync.engine.errors import BadAnswer

_WHOLE = 16  # digits of the longest number of milliseconds


@dataclass(frozen=True, slots=True)
class SplitRow:
    """列表里的一行;`ratio` 是原来的写法。"""

    code: str
    ex_date: date
    ratio: str


@dataclass(frozen=True, slots=True)
class SplitPage:
    """一页拆股。

    `last` is what the provider says of the page, None where it says nothing; `none`
    that there are no splits at all. `left_out` rows could not be read.
    """

    rows: tuple[SplitRow, ...]
    last: bool | None
    none: bool = False
    left_out: int = 0


def read_splits(data: Any, market: str) -> SplitPage:
    """读出一页;不是一页的抛出 BadAnswer。"""
    if data is None or data in ({}, []):
        return SplitPage((), None)
    given = data if isinstance(data, dict) else {"content": data}
    content = given.get("content")
    if content is None:
        content = []
    if not isinstance(content, list):
        raise BadAnswer("The page of splits is not a list")
    rows = tuple(_rows(content, market))
    last = given.get("last")
    return SplitPage(
        rows,
        last if isinstance(last, bool) else None,
        none=not content and str(given.get("totalElements")) == "0",
        left_out=len(content) - len(rows),
    )


def _rows(content: list[Any], market: str) -> Iterator[SplitRow]:
    for row in content:
        if not isinstance(row, dict):
            continue
        day, code = _day(row.get("d"), market), " ".join(str(row.get("c", "")).split())
        ratio, region = str(row.get("v", "")).strip(), str(row.get("r") or market)
        if day and code and region.upper() == market:
            yield SplitRow(code, day, ratio)


def _day(value: Any, market: str) -> date | None:
    text = str(value)
    if not text.isdecimal() or len(text) > _WHOLE:
        return None
    try:
        return markets.bar_time(int(text), market=market, period="day").date()
    except (OverflowError, ValueError, OSError):
        return None
