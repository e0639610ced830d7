"""股票列表从服务商那里来。"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from common.csvfile import Refused as BadRow
from common.races import again_after_a_lost_race
from sync.engine.errors import SyncError
from sync.engine.ports import Token
from sync.models import Stock, Verb
from sync.providers.itick import ItickClient, Listing
from tokens.validation import allowed_hosts

from ..checks import check_market
from ..clock import now as shared_now
from ..errors import Refused, Unconfirmed
from ..tokens.in_turn import Stopped, Wait, ask_in_turn
from .gone import note_listed
from .rows import LONGEST_EXCHANGE, LONGEST_NAME, Entry, Listed, StockList, store

logger = logging.getLogger(__name__)

BAD_CODE = "bad_row"
# A list so many times as long as what is stored is hardly the list that was meant.
TIMES = 10
# Of a small one nobody need fear the calls: a market of which a few stocks were
# imported first is loaded without a word.
SMALL = 1_000
Keep = Callable[[str, StockList], StockList]


def sync_stocks(
    wanted: Sequence[str],
    *,
    confirmed: bool = False,
    wait: Wait | None = None,
    now: Callable[[], datetime] = shared_now,
) -> dict[str, Listed]:
    """从服务商取得这些市场的股票列表。

    A stock that is not in the provider's list any more is kept. Where every token has
    to wait its turn, `wait` is called with the reason and the seconds, and what there
    is so far is returned once it says False; without it that is refused, with the time.
    Raises Refused; Unconfirmed where a list of more than a thousand is more than ten
    times as long as what is stored of its market and nobody has `confirmed` it.
    """
    keep = _everything if confirmed else _not_too_many
    for market in wanted:
        check_market(market)
    loaded: dict[str, Listed] = {}
    for market in wanted:
        try:
            rows = ask_list(market, wait=wait, now=now)
        except Stopped:
            break
        loaded[market] = store_list(market, rows, keep=keep, at=now())
    return loaded


def _everything(_market: str, stocks: StockList) -> StockList:
    return stocks


def _not_too_many(market: str, stocks: StockList) -> StockList:
    """第一次的列表多长都行;以后的长得太多,就要有人确认。"""
    here = Stock.objects.active().filter(market=market).count()
    listed = len(stocks.entries)
    if here and listed > max(SMALL, TIMES * here):
        message = _(
            "The provider lists %(listed)s stocks for %(market)s, more than ten times "
            "as many as are stored (%(here)s). Nothing was changed: each stock costs "
            "calls every day."
        )
        figures = {"listed": f"{listed:,}", "market": market, "here": f"{here:,}"}
        raise Unconfirmed(message % figures)
    return stocks


def store_list(
    market: str,
    rows: Iterable[Listing],
    *,
    keep: Keep,
    at: datetime,
) -> Listed:
    """存下服务商的列表里能用的股票,`keep` 留下其中要的;没有列出的也记下。"""
    stocks = _sound(market, rows)
    if not stocks.entries:
        message = _("The provider lists no stocks for %s; nothing was changed.")
        raise Refused(message % market)
    listed = again_after_a_lost_race(
        lambda: store(keep(market, stocks), verb=Verb.STOCKS_LOADED, market=market)
    )
    note_listed(market, [entry.code for entry in stocks.entries], at=at)
    return listed


def _sound(market: str, rows: Iterable[Listing]) -> StockList:
    """服务商的列表里能用的股票;别的数一数。"""
    entries: dict[str, Entry] = {}
    left_out: Counter[str] = Counter()
    repeated = 0
    for row in rows:
        if row.left_out:
            left_out[row.left_out] += 1
            continue
        try:
            name, exchange = row.name[:LONGEST_NAME], _exchange(row, market)
            entry = Entry.read(market, row.code, name, exchange)
        except BadRow as refused:
            left_out[BAD_CODE] += 1
            message = "A row of the list of %s was left out: %s"
            logger.warning(message, market, refused.reasons)
            continue
        repeated += entry.code in entries
        entries.setdefault(entry.code, entry)
    return StockList([*entries.values()], repeated=repeated, left_out=dict(left_out))


def _exchange(row: Listing, market: str) -> str:
    """这一行的交易所;长得不可能的留空,股票照样要。"""
    if len(row.exchange) <= LONGEST_EXCHANGE:
        return row.exchange
    message = "The exchange of %s:%s was left blank: it is %d characters long"
    logger.warning(message, market, row.code, len(row.exchange))
    return ""


def ask_list(
    market: str, *, wait: Wait | None, now: Callable[[], datetime]
) -> list[Listing]:
    """向服务商要一个市场的列表;等着轮到时有人说不等了,就抛出 Stopped。"""
    try:
        return ask_in_turn(
            market,
            lambda token: _list(token, market),
            purpose="stock list",
            now=now,
            wait=wait,
        )
    except SyncError as problem:
        message = _("The list of %(market)s could not be had: %(problem)s")
        raise Refused(message % {"market": market, "problem": problem}) from problem


def _list(token: Token, market: str) -> list[Listing]:
    client = ItickClient(allowed_hosts=allowed_hosts())
    try:
        return client.list_stocks(token, market)
    finally:
        client.close()
