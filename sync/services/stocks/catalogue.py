"""股票列表从服务商那里来。"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from common.csvfile import Refused as BadRow
from common.messages import Message
from common.races import again_after_a_lost_race
from sync.engine.errors import SyncError
from sync.engine.ports import Token
from sync.providers.itick import ItickClient, Listing
from tokens.models import ApiToken
from tokens.validation import allowed_hosts

from ..checks import check_market
from ..clock import now as shared_now
from ..errors import NoUsableToken, Refused
from ..tokens.one_call import NotLent, Why, borrowed, wishing
from ..tokens.serving import PROVIDER
from .gone import note_listed
from .rows import LONGEST_NAME, Entry, Listed, StockList, store

logger = logging.getLogger(__name__)

Wait = Callable[[str, int], bool]

ATTEMPTS = 4
BAD_CODE = "bad_row"


class NotItsTurn(Exception):
    """现在没有轮到任何一个 Token:`seconds` 秒以后再看。"""

    def __init__(self, why: Message, *, seconds: int) -> None:
        super().__init__(why)
        self.why = why
        self.seconds = seconds


def sync_stocks(
    wanted: Sequence[str],
    *,
    wait: Wait | None = None,
    now: Callable[[], datetime] = shared_now,
) -> dict[str, Listed]:
    """从服务商取得这些市场的股票列表。

    A stock that is not in the provider's list any more is kept. Where every token has
    to wait its turn, `wait` is called with the reason and the seconds, and what there
    is so far is returned once it says False; without it that is refused, with the time.
    Raises Refused.
    """
    for market in wanted:
        check_market(market)
    loaded: dict[str, Listed] = {}
    for market in wanted:
        listed = _sync_market(market, wait=wait, now=now)
        if listed is None:
            break
        loaded[market] = listed
    return loaded


def _sync_market(
    market: str, *, wait: Wait | None, now: Callable[[], datetime]
) -> Listed | None:
    with wishing("stock list", market=market, now=now) as wish:
        while True:
            try:
                rows = _asked(market, now=now)
            except NotItsTurn as turn:
                if wait is None:
                    raise Refused(
                        Message(
                            "%(why)s Try again in %(seconds)d s.",
                            why=turn.why,
                            seconds=turn.seconds,
                        )
                    ) from None
                wish()
                if not wait(turn.why, turn.seconds):
                    return None
            else:
                return _stored(market, rows, at=now())


def _stored(market: str, rows: Iterable[Listing], *, at: datetime) -> Listed:
    stocks = _sound(market, rows)
    if not stocks.entries:
        message = _("The provider lists no stocks for %s; nothing was changed.")
        raise Refused(message % market)
    listed = again_after_a_lost_race(lambda: store(stocks))
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
            entry = Entry.read(market, row.code, row.name[:LONGEST_NAME], row.exchange)
        except BadRow as refused:
            left_out[BAD_CODE] += 1
            message = "A row of the list of %s was left out: %s"
            logger.warning(message, market, refused.reasons)
            continue
        repeated += entry.code in entries
        entries.setdefault(entry.code, entry)
    return StockList([*entries.values()], repeated=repeated, left_out=dict(left_out))


def _asked(market: str, *, now: Callable[[], datetime]) -> list[Listing]:
    """用一个接一个的 Token 问,直到有回答;每个 Token 最多问一次。

    Raises NotItsTurn where nobody was asked because all have to wait.
    """
    problem: Exception | None = None
    turns: list[NotLent] = []
    tried = 0
    rows = ApiToken.objects.available(PROVIDER, at=now(), market=market)
    for row in rows:
        try:
            with borrowed(row, purpose="stock list", market=market, now=now) as call:
                tried += 1
                return call(lambda token: _list(token, market))
        except NotLent as error:
            turns.append(error)
        except SyncError as error:
            problem = error
        if tried == ATTEMPTS:
            break
    if problem:
        message = _("The list of %(market)s could not be had: %(problem)s")
        raise Refused(message % {"market": market, "problem": problem}) from problem
    raise _nobody_asked(market, turns, at=now())


def _list(token: Token, market: str) -> list[Listing]:
    client = ItickClient(allowed_hosts=allowed_hosts())
    try:
        return client.list_stocks(token, market)
    finally:
        client.close()


def _nobody_asked(market: str, turns: Sequence[NotLent], *, at: datetime) -> Exception:
    """一个也没有问的原因:都要等,或者没有能用的。"""
    waits = [turn.seconds for turn in turns if turn.why == Why.MUST_WAIT]
    if waits:
        message = Message(
            "Every free token of %(market)s has made its calls of this minute.",
            market=market,
        )
        return NotItsTurn(message, seconds=min(filter(None, waits), default=1))
    why = ApiToken.objects.why_none_available(PROVIDER, at=at, markets=[market])
    usable = ApiToken.objects.usable(PROVIDER, at=at, market=market)
    if usable.with_calls_left(at=at).held(at=at).exists():
        return NotItsTurn(why, seconds=1)
    unfit = next((turn.text for turn in turns if turn.text), "")
    return NoUsableToken(why or unfit or _("none of them can be read"))
