"""一个市场的拆股列表:一页一页问完。

Whether pages are counted from 0 or from 1 is not known. So page 0 is asked for first:
where pages begin with 1 it is refused, empty or the same as page 1, and nothing is lost
but a call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime

from sync.engine.errors import StockFault
from sync.engine.ports import Token
from sync.providers.itick import ItickClient
from sync.providers.splits import SplitPage, SplitRow
from tokens.validation import allowed_hosts

from ..tokens.in_turn import Wait, ask_in_turn

logger = logging.getLogger(__name__)

# More pages than any market has splits for: a list without an end.
MOST_PAGES = 2000
Ask = Callable[[int], SplitPage]


def listed(
    market: str, *, wait: Wait | None, now: Callable[[], datetime]
) -> list[SplitRow]:
    """列出一个市场的全部拆股,每只股票每天一次。

    Raises Refused, Stopped, and the SyncError for which a page could not be had.
    """

    def ask(page: int) -> SplitPage:
        return ask_in_turn(
            market,
            lambda token: _page(token, market, page),
            purpose="splits",
            now=now,
            wait=wait,
        )

    found: dict[tuple[str, object], SplitRow] = {}
    for answer in pages(ask):
        for row in answer.rows:
            found.setdefault((row.code, row.ex_date), row)
        if answer.left_out:
            logger.warning(
                "%d rows of a page of splits of %s cannot be read",
                answer.left_out,
                market,
            )
    return list(found.values())


def pages(ask: Ask) -> Iterator[SplitPage]:
    """逐页问到头:服务商说是最后一页、空的、或者没有带来新的。"""
    first = ask(0)
    yield first
    if first.none or (first.rows and first.last):
        return
    seen = set(first.rows)
    for number in range(1, MOST_PAGES):
        page = ask(number)
        new = set(page.rows) - seen
        # The same once more at page 1 is how pages are counted from 1.
        again = number == 1 and page.rows and page == first
        if not new and not again:
            return
        yield page
        if page.last:
            return
        seen |= new


def _page(token: Token, market: str, page: int) -> SplitPage:
    client = ItickClient(allowed_hosts=allowed_hosts())
    try:
        return client.splits(token, market, page=page)
    except StockFault:
        if page:
            raise
        return SplitPage((), None)  # there is no page of this number
    finally:
        client.close()
