"""一根 K 线。"""

from __future__ import annotations

from typing import NamedTuple


class Bar(NamedTuple):
    """一根 K 线,价格是十进制原文。

    `start` and `end` (epoch milliseconds) are when it begins to form and when it is
    final; `session` and `last` are the numbers of the sessions of its first and its
    latest trade.
    """

    session: int
    start: int
    end: int
    open: str
    high: str
    low: str
    close: str
    volume: int | None
    turnover: str | None
    last: int
