"""把一只股票的缺口再取一遍。"""

from __future__ import annotations

from datetime import date, datetime

from django.utils.translation import gettext as _

from sync.engine.ports import Window
from sync.models import MarketDay, Stock, SyncFailure, SyncRun

from ..checks import check_order, check_period
from ..errors import BadRequest
from ..quality.audit import Hole, file_holes
from ..tokens.serving import require_token
from .retry import retry_failed


def repair(
    stock: Stock,
    period: str,
    *,
    start: date,
    end: date,
    at: datetime,
    by: str = "",
) -> SyncRun:
    """把缺口登记为失败记录,马上在后台补拉,返回那次运行。

    A run over the window would find it covered and ask for nothing. As a failure it is
    asked for whatever is covered, and once it was asked for in vain the audit knows
    that the stock was suspended. Raises Refused as `retry_failed` does, and where the
    market had no session in the window.
    """
    check_period(period)
    check_order(start, end)
    require_token([stock.market], at=at)
    window = Window(start, end)
    days = MarketDay.objects.of(stock.market, period, window=window)
    sessions = days.filter(present__gt=0).count()
    if not sessions:
        text = _("The market had no session from %(start)s to %(end)s.")
        raise BadRequest("start", text % {"start": start, "end": end})
    file_holes([Hole(stock, period, window, sessions)], at=at)
    rows = SyncFailure.objects.waiting(market=stock.market).filter(
        stock_code=stock.stock_code,
        period=period,
        start_date__lte=end,
        end_date__gte=start,
    )
    return retry_failed(at=at, rows=rows, by=by, background=True)
