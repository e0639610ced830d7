"""每周从服务商那里看看股票列表:新上市的加进来,退市的记下。

A market of which most of the list is stored is followed as a whole. Where the list has
many more, somebody has chosen the stocks that are here, or the list is not what it was:
nothing is added then, for each stock costs calls every day.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from threading import Event

from sync.engine import markets
from sync.models import Stock

from ..clock import now as shared_now
from ..errors import NoUsableToken, Refused
from ..tokens.in_turn import Stopped, until
from .catalogue import ask_list, store_list
from .rows import Listed, StockList

logger = logging.getLogger(__name__)

# So many new stocks are taken at once: these few, or a tenth of those that are here.
FEW, TENTH = 5, 10


def sync_stocks_weekly(
    *, stop: Event, now: Callable[[], datetime] = shared_now
) -> dict[str, Listed]:
    """取得每个有股票的市场的列表,返回取得了的;取不到的写日志,下周再取。

    A call a market. Where every token has to wait its turn it waits, until `stop` is
    set.
    """
    done: dict[str, Listed] = {}
    stocks = Stock.objects.active().order_by().values_list("market", flat=True)
    for market in sorted(set(stocks.distinct()) & set(markets.MARKETS)):
        try:
            found = ask_list(market, wait=until(stop), now=now)
            done[market] = store_list(market, found, keep=_followed, at=now())
        except Stopped:
            break
        except NoUsableToken as error:
            logger.info("No list of %s: %s", market, error)
        except Refused as error:
            logger.warning("No list of %s: %s", market, error)
    return done


def _followed(market: str, stocks: StockList) -> StockList:
    """留下要存的:删掉的不再回来,新的太多就一只也不加。"""
    rows = Stock.objects.filter(market=market).order_by()
    deleted = dict(rows.values_list("stock_code", "deleted"))
    new = [entry for entry in stocks.entries if entry.code not in deleted]
    here = [entry for entry in stocks.entries if deleted.get(entry.code) is False]
    if len(new) > max(FEW, rows.filter(deleted=False).count() // TENTH):
        text = "%s: %d more stocks are listed; load the list if they are wanted"
        logger.warning(text, market, len(new))
        new = []
    return StockList([*here, *new], stocks.repeated, stocks.left_out)
