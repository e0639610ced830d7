"""补拉:把等待中的失败记录再取一遍。"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection
from copy import copy
from datetime import datetime
from threading import Event

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from common.activity import note
from sync.engine import markets
from sync.engine.periods import PERIODS
from sync.engine.stock_codes import BadCode, homes
from sync.models import FailureStatus, RunKind, Stock, SyncFailure, SyncRun, Verb
from sync.models.failures import SyncFailureQuerySet
from sync.models.stocks import EARLIEST
from sync.storage.retrying import DatabaseRetry

from ..checks import check_market
from ..clock import SharedClock
from ..errors import AlreadyRunning, BadRequest
from ..shards.parked import leave_parked, replace_parked
from ..shards.reap import reap
from ..shards.register import register
from ..stocks.named import require_readable
from ..tokens.serving import require_token, serving

logger = logging.getLogger(__name__)

CHUNK = 500
NO_STOCK = "unknown_stock"


def retry_failed(
    *,
    at: datetime,
    stock_code: str = "",
    market: str = "",
    max_retry_count: int | None = None,
    rows: SyncFailureQuerySet | None = None,
    by: str = "",
    background: bool = False,
) -> SyncRun:
    """登记一次补拉,占有要补的记录;由 `execute` 执行。

    Of one stock, one market or all, or of `rows`; never rows that have been tried
    `max_retry_count` times. Rows of markets that no token serves are left alone, and
    the run names those markets. Raises Refused: bad values, no token enabled at all or
    none for any of the rows, and AlreadyRunning where another retry holds all of them.
    """
    most = _most(max_retry_count)
    if market:
        check_market(market)
    if stock_code:
        require_readable(stock_code, field="stock_code")
    require_token([], at=at)
    reap(at=at)
    wanted = (SyncFailure.objects.all() if rows is None else rows).waiting(
        stock_code=stock_code, market=market, max_retry_count=most
    )
    if market and wanted.exists():
        require_token([market], at=at)
    lacking = serving(tuple(markets.MARKETS), at=at).unserved
    left = _markets_of(wanted.filter(market__in=lacking)) if lacking else []
    wanted = wanted.exclude(market__in=lacking)
    if left and not wanted.exists():
        require_token(left, at=at)
    run = SyncRun(
        kind=RunKind.RETRY,
        market=market,
        codes=[stock_code] if stock_code else [],
        max_retry_count=most,
        requested_by=by,
        unserved=left,
    )
    # Retries that want some of the same rows may lock each other out: once more, then.
    retrying = DatabaseRetry(stop=Event(), clock=SharedClock(), limit=0.0)
    return retrying(
        lambda: _registered(
            copy(run), wanted, lacking=lacking, at=at, background=background
        )
    )


def _markets_of(rows: SyncFailureQuerySet) -> list[str]:
    return sorted(rows.order_by().values_list("market", flat=True).distinct())


@transaction.atomic
def _registered(
    run: SyncRun,
    wanted: SyncFailureQuerySet,
    *,
    lacking: Collection[str],
    at: datetime,
    background: bool,
) -> SyncRun:
    # Another program may leave the status out by writing NULL.
    SyncFailure.objects.filter(status=None).update(status=FailureStatus.WAITING)
    if run.codes:
        # Rows of other programs may be about it, and spell it otherwise.
        _find_spellings()
    register(run, at=at, background=background)
    _claim(wanted, run, at=at, background=background)
    _sort_out(run, at=at)
    _let_go(run, lacking)
    note(Verb.RUN_RETRIED, run, market=run.market, codes=run.codes)
    return run


def _let_go(run: SyncRun, lacking: Collection[str]) -> None:
    """放开没有 Token 可用的市场的记录:刚刚才知道它们属于哪个市场的那些。"""
    rows = SyncFailure.objects.held_by(run.pk).filter(market__in=lacking)
    if found := _markets_of(rows) if lacking else []:
        rows.update(run_id=None)
        run.unserved = sorted({*run.unserved, *found})
        run.save(update_fields=["unserved"])


def _find_spellings() -> None:
    """别的程序的记录里的代码,换成股票的写法;它们不属于任何运行。"""
    theirs = SyncFailure.objects.waiting().filter(run=None).order_by()
    for market in set(theirs.values_list("market", flat=True)):
        rows = theirs.filter(market=market)
        codes = set(rows.values_list("stock_code", flat=True))
        for text, found in _homes(codes, market).items():
            if len(found) == 1 and found[0][1] != text:
                home, code = found[0]
                rows.filter(stock_code=text).update(market=home, stock_code=code)


def _claim(
    wanted: SyncFailureQuerySet, run: SyncRun, *, at: datetime, background: bool
) -> None:
    if wanted.claim(run_id=run.pk) or not wanted.exists():
        return
    holders = wanted.order_by().values("run_id")
    same = SyncRun.objects.filter(kind=RunKind.RETRY, pk__in=holders)
    if not background:
        leave_parked(same, run.markets, at=at)
    replace_parked(same, at=at)
    if not wanted.claim(run_id=run.pk):
        raise AlreadyRunning(
            _("A retry of these failures is running: wait for it or cancel it.")
        )


def _most(wanted: int | None) -> int:
    most = settings.STOCK_SYNC_MAX_RETRY_COUNT if wanted is None else wanted
    if most < 1:
        text = _("The largest number of attempts must be 1 or more.")
        raise BadRequest("max_retry_count", text)
    return int(most)


def _sort_out(run: SyncRun, *, at: datetime) -> None:
    """放弃没法补的记录,给没有写市场的找到市场。"""
    held = SyncFailure.objects.held_by(run.pk).order_by()
    no_period = held.exclude(period__in=list(PERIODS))
    _refuse(no_period, "This period does not exist", at=at)
    reversed_ = held.filter(start_date__gt=F("end_date"))
    _refuse(reversed_, "The window ends before it begins", at=at)
    _refuse(held.filter(end_date__lt=EARLIEST), "No K-lines are so old", at=at)
    codes = sorted(set(held.values_list("stock_code", flat=True)))
    for first in range(0, len(codes), CHUNK):
        _find_homes(held.filter(stock_code__in=codes[first : first + CHUNK]), at=at)


def _find_homes(held: SyncFailureQuerySet, *, at: datetime) -> None:
    """这些股票各是哪个市场的哪个代码;同样结果的一起改。

    Another program may leave the market out, and spell the code as it likes.
    """
    codes_of: dict[str, set[str]] = {}
    for code, market in held.values_list("stock_code", "market"):
        codes_of.setdefault(market, set()).add(code)
    for market, codes in codes_of.items():
        rows = held.filter(market=market)
        changes, unknown = defaultdict(list), defaultdict(list)
        for text, found in _homes(codes, market).items():
            if len(found) != 1:
                unknown[_why_unknown(text, found)].append(text)
            elif found[0] != (market, text):
                changes[_change(text, *found[0])].append(text)
        for why, texts in unknown.items():
            _refuse(rows.filter(stock_code__in=texts), why, at=at)
        for change, texts in changes.items():
            rows.filter(stock_code__in=texts).update(**dict(change))


def _homes(codes: set[str], market: str) -> dict[str, list[tuple[str, str]]]:
    """这些代码是哪些股票;不认识的市场不算。"""
    known_markets = list(markets.MARKETS)
    wanted = [market.strip().upper()] if market else known_markets
    stocks = Stock.objects.active().filter(market__in=known_markets)
    return stocks.spelled(codes, markets=wanted)


def _change(text: str, market: str, code: str) -> tuple[tuple[str, str], ...]:
    # One statement for all that only lack the market: they may be thousands.
    same = (
        {"market": market} if code == text else {"market": market, "stock_code": code}
    )
    return tuple(same.items())


def _why_unknown(text: str, found: list[tuple[str, str]]) -> str:
    if found:
        where = " and ".join(market for market, _code in found)
        return f"The stock exists in {where}: the market is missing"
    try:
        homes(text)
    except BadCode as error:
        return f"No such code: {error}"
    return "The stock does not exist (any more)"


def _refuse(rows: SyncFailureQuerySet, text: str, *, at: datetime) -> None:
    if given_up := rows.give_up(at=at, reason=NO_STOCK, text=text):
        logger.warning("%d failures are given up: %s", given_up, text)
