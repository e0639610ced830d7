"""导入股票列表以前,先看会发生什么。"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sync.models import Stock

from .files import read_stocks
from .rows import Listed, changes, count, listed


@dataclass(frozen=True, slots=True)
class StockPreview:
    """导入会新建、更新多少只股票,以及其中的前几只。"""

    listed: Listed
    created: list[Stock]
    updated: list[Stock]


def preview_stocks(data: bytes, *, most: int) -> StockPreview:
    """比较列表和数据库,说出导入会带来的变化;什么也不写。

    The import's own comparison, so that the preview cannot differ from it. Raises
    Refused as the import does. `most` bounds each list; the figures are of all. Reads
    only: a page that changes nothing takes nobody's turn to write.
    """
    stocks = read_stocks(data)
    counts: Counter[str] = Counter()
    created: list[Stock] = []
    updated: list[Stock] = []
    for found in changes(stocks):
        count(found, counts)
        created += found.created[: most - len(created)]
        updated += found.updated[: most - len(updated)]
    return StockPreview(listed(stocks, counts), created, updated)
