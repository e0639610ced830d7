"""对一个市场日里缺 K 线的股票能做的事:补拉,当作停牌。"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from common.activity import note
from sync.engine.ports import Window
from sync.models import Stock, Suspension, SyncFailure, SyncRun, Verb
from sync.models.failures import SyncFailureQuerySet

from ..checks import check_market, check_period
from ..errors import Refused
from ..quality.audit import Hole, file_holes, recount
from ..quality.lacking import Group, Lack, lacking, window_of
from ..tokens.serving import require_token
from .decide import note_failure
from .retry import retry_failed

# More than that is a run over the market.
MOST = 1000
PERSON = "person"


def retry_day(
    market: str, period: str, day: date, ids: Sequence[int], *, at: datetime, by: str
) -> SyncRun:
    """把这些股票这一天的缺口马上在后台补拉,返回那次运行。

    Holes that nobody sees to are filed first. Raises Refused as `retry_failed` does.
    """
    stocks, window = _stocks(market, period, ids), window_of(day, period)
    require_token([market], at=at)
    codes = {stock.stock_code for stock in stocks}
    rows = _failures(market, period, codes, window)
    known = set(rows.values_list("stock_code", flat=True))
    alone = [stock for stock in stocks if stock.stock_code not in known]
    file_holes([Hole(stock, period, window, 1) for stock in alone], at=at)
    return retry_failed(at=at, rows=rows, by=by, background=True)


def accept_day(
    market: str, period: str, day: date, ids: Sequence[int], *, at: datetime, by: str
) -> int:
    """把这些股票这一天当作停牌,不再去取;返回几只。

    Failures about nothing but that day are given up with it. The day is counted anew.
    """
    stocks, window = _stocks(market, period, ids), window_of(day, period)
    rows = [
        Suspension(
            stock=stock,
            period=period,
            start_date=window.start,
            end_date=window.end,
            source=PERSON,
        )
        for stock in stocks
    ]
    codes = {stock.stock_code for stock in stocks}
    with transaction.atomic():
        Suspension.objects.bulk_create(rows, ignore_conflicts=True)
        alone = Q(start_date__gte=window.start, end_date__lte=window.end)
        _failures(market, period, codes, window).filter(alone).give_up(at=at, by=by)
        for stock in stocks:
            note(Verb.DAYS_ACCEPTED, stock, period=period, day=f"{window.start}")
    recount(market, period, [window.start], at=at)
    return len(stocks)


def note_day(
    market: str,
    period: str,
    day: date,
    ids: Sequence[int],
    *,
    text: str,
    at: datetime,
    by: str,
) -> int:
    """在这些股票这一天等着补拉的失败记录上写一句备注,返回写了几条。

    Holes that nobody sees to are filed first, as the audit would. Raises Refused:
    nothing is written, or nothing is missing that could be noted on.
    """
    stocks, window = _stocks(market, period, ids), window_of(day, period)
    holes = lacking(market, period, day).get(Lack.HOLE, Group()).rows
    unseen = {row.stock.pk: row.stock for row in holes}
    codes = {stock.stock_code for stock in stocks}
    alone = [unseen[stock.pk] for stock in stocks if stock.pk in unseen]
    with transaction.atomic():
        file_holes([Hole(stock, period, window, 1) for stock in alone], at=at)
        rows = list(_failures(market, period, codes, window))
        if not rows:
            raise Refused(_("Nothing is missing there that could be noted on."))
        for row in rows:
            note_failure(row, text, at=at, by=by)
    return len(rows)


def _stocks(market: str, period: str, ids: Sequence[int]) -> list[Stock]:
    """检查过的股票:都在这个市场,至少一只,不太多。"""
    check_market(market)
    check_period(period)
    if not ids or len(ids) > MOST:
        raise Refused(_("Choose 1 to %d stocks.") % MOST)
    stocks = Stock.objects.active().filter(market=market, pk__in=ids)
    found = list(stocks.order_by("pk"))
    if not found:
        raise Refused(_("All of these stocks are deleted."))
    return found


def _failures(
    market: str, period: str, codes: set[str], window: Window
) -> SyncFailureQuerySet:
    """这些股票等着补拉的失败里,区间碰到这几天的。"""
    rows = SyncFailure.objects.waiting(market=market).filter(
        stock_code__in=codes, period=period
    )
    return rows.filter(start_date__lte=window.end, end_date__gte=window.start)
