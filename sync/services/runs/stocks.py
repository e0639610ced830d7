"""一次运行的股票:哪些取齐了,哪些没有,哪些失败了。"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from django.db.models import F, FilteredRelation, Q

from sync.engine import coverage, markets
from sync.engine.ports import Window
from sync.models import FailureStatus, RunKind, Stock, SyncFailure, SyncRun
from sync.models.failures import SyncFailureQuerySet

from ..calendars.sessions import calendar_until
from ..work.batch import markets_of, stocks_of


class StockState(StrEnum):
    """一次运行的一只股票怎样:区间都在了、还没有、取不到。"""

    COMPLETE = "complete"
    MISSING = "missing"
    FAILED = "failed"


COMPLETE = StockState.COMPLETE


@dataclass(frozen=True, slots=True)
class RunStock:
    """一次运行的一只股票;取不到的有原因和失败记录的编号。"""

    stock: Stock | None
    market: str
    code: str
    state: StockState
    covered_from: date | None = None
    covered_to: date | None = None
    reason: str = ""
    failure: int | None = None


@dataclass(frozen=True, slots=True)
class StockPage:
    """一页股票,和后面还有没有。"""

    rows: Sequence[RunStock]
    more: bool


def run_stocks(
    run: SyncRun,
    *,
    at: datetime,
    state: StockState | None = None,
    code: str = "",
    page: int = 1,
    size: int = 25,
) -> StockPage:
    """列出一次运行的股票,按市场和代码;一次补拉的,是它占有的失败记录的。"""
    first = (page - 1) * size
    if run.kind == RunKind.RETRY or state == StockState.FAILED:
        rows = failures_of(run).filter(stock_code__startswith=code)
        if state == StockState.FAILED:
            rows = rows.exclude(status=FailureStatus.DONE)
        found = list(rows.order_by("market", "stock_code")[first : first + size + 1])
        return StockPage(_failed(found[:size]), len(found) > size)
    due = _due(run, at=at)
    known = FilteredRelation("coverage", condition=Q(coverage__period=run.period))
    stocks = stocks_of(run).annotate(
        known=known, since=F("known__start_date"), until=F("known__end_date")
    )
    stocks = stocks.filter(stock_code__startswith=code)
    if state:
        stocks = stocks.filter(_is_whole(due) if state == COMPLETE else _is_short(due))
    seen = list(stocks.order_by("market", "stock_code")[first : first + size + 1])
    failed = _failed_codes(run, seen)
    return StockPage([_row(one, due, failed) for one in seen[:size]], len(seen) > size)


def failures_of(run: SyncRun) -> SyncFailureQuerySet:
    """留下一次运行记录的失败;补拉的是它占有的。"""
    if run.kind == RunKind.RETRY:
        return SyncFailure.objects.filter(run=run)
    return SyncFailure.objects.filter(recorded_run_id=run.pk)


Due = Mapping[str, Window]


def _due(run: SyncRun, *, at: datetime) -> Due:
    """每个市场要覆盖的区间:到最后一个已经结束的交易日为止。"""
    due = {}
    for market in run.markets or markets_of(run):
        final = coverage.last_whole(markets.last_final(market, at=at), run.period)
        until = min(run.window.end, final)
        last = calendar_until(market, until).last_session(until)
        start = run.window.start
        due[market] = Window(start, max(last, start))
    return due


def _is_whole(due: Due) -> Q:
    whole = Q(pk__in=[])
    for market, window in due.items():
        whole |= Q(
            market=market,
            known__start_date__lte=window.start,
            known__end_date__gte=window.end,
        )
    return whole


def _is_short(due: Due) -> Q:
    # Spelled out: what Django makes of ~_is_whole takes twice as long.
    short = Q(pk__in=[])
    for market, window in due.items():
        lacks = Q(known__start_date__gt=window.start) | Q(known=None)
        lacks |= Q(known__end_date__lt=window.end)
        short |= Q(market=market) & lacks
    return short


Failed = dict[tuple[str, str], tuple[str, int]]


def _failed_codes(run: SyncRun, stocks: Sequence[Stock]) -> Failed:
    rows = failures_of(run).exclude(status=FailureStatus.DONE)
    rows = rows.filter(stock_code__in=[stock.stock_code for stock in stocks])
    columns = ("market", "stock_code", "recorded_reason", "pk")
    return {
        (m, code): (reason, pk) for m, code, reason, pk in rows.values_list(*columns)
    }


def _row(stock: Stock, due: Due, failed: Failed) -> RunStock:
    reason, failure = failed.get((stock.market, stock.stock_code), ("", None))
    window = due[stock.market]
    since, until = stock.since, stock.until  # type: ignore[attr-defined]
    whole = since and since <= window.start and until >= window.end
    state = StockState.COMPLETE if whole else StockState.MISSING
    return RunStock(
        *(stock, stock.market, stock.stock_code),
        state=StockState.FAILED if failure else state,
        covered_from=since,
        covered_to=until,
        reason=reason,
        failure=failure,
    )


def _failed(rows: Sequence[SyncFailure]) -> list[RunStock]:
    codes = [row.stock_code for row in rows]
    stocks = {
        (stock.market, stock.stock_code): stock
        for stock in Stock.objects.filter(stock_code__in=codes)
    }
    return [
        RunStock(
            stocks.get((row.market, row.stock_code)),
            row.market,
            row.stock_code,
            StockState.COMPLETE
            if row.status == FailureStatus.DONE
            else StockState.FAILED,
            reason=row.recorded_reason or row.reason_class,
            failure=row.pk,
        )
        for row in rows
    ]
