"""缺口还是停牌:一次报价就能说清楚此刻停着牌的股票。"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from sync.engine.errors import SyncError
from sync.engine.ports import Token
from sync.models import Suspension
from sync.providers.itick import ItickClient

from ..calendars.provider import ask_any
from .audit import Hole, MarketAudit

logger = logging.getLogger(__name__)

QUOTE = "quote"


def learn_suspensions(found: MarketAudit, *, now: Callable[[], datetime]) -> int:
    """问一次报价,把一直缺到最后的股票里停着牌的记下来,返回几只。

    One call, with as many stocks as its token may ask for, and only where a token is
    free: a quote tells of this moment, so only of gaps that have not ended.
    """
    last = max((day.day for day in found.days if day.have), default=None)
    holes = {h.stock.stock_code: h for h in found.found if h.window.end == last}
    if not holes:
        return 0
    try:
        asked = ask_any(found.market, _ask(found.market, list(holes)), now=now)
    except SyncError as error:
        logger.info("No quotes of %s: %s", found.market, error)
        return 0
    suspended = [holes[code] for code in sorted(asked or ())]
    _store(suspended)
    return len(suspended)


def _ask(market: str, codes: Sequence[str]) -> Callable[[ItickClient, Token], set[str]]:
    def ask(client: ItickClient, token: Token) -> set[str]:
        return client.suspended(token, market, codes[: token.batch_size])

    return ask


def _store(holes: Sequence[Hole]) -> None:
    Suspension.objects.bulk_create(
        (
            Suspension(
                stock=hole.stock,
                period=hole.period,
                start_date=hole.window.start,
                end_date=hole.window.end,
                source=QUOTE,
            )
            for hole in holes
        ),
        ignore_conflicts=True,
    )
