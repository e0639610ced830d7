"""一只股票一种周期的历史:K 线,和它们旁边要给人看的一切。

What a chart shows at once. Every query goes along a key that begins with the stock (or
its code), and reads no more than the days shown: it costs the same beside ten million
bars as beside ten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from types import MappingProxyType

from sync.engine import coverage, markets, paging
from sync.engine.coverage import DAY
from sync.engine.periods import PERIODS
from sync.engine.ports import Window
from sync.models import (
    Coverage,
    FailureStatus,
    Kline,
    MarketDay,
    RejectedBar,
    Revision,
    RunKind,
    Split,
    Stock,
    SyncFailure,
    SyncRun,
)
from sync.models.rejected import NO_TIME

from ..calendars.sessions import Calendar
from ..exporting.adjusting import Applied
from ..exporting.request import BY_DAYS
from ..quality.audit import failures_of, judged, runs_of, suspensions_of
from ..quality.days import unlisted
from ..quality.minutes import short_days
from .shown import Bar, bar_starts, computed, splits_to_apply, whole

BARS = 3000  # at first, and each time that older ones are wanted
MOST = 20_000  # when a window far back has to be among them
TOGETHER = 4  # times as many, where longer bars are made of them
# So much after a window that is too far back to be shown with everything since.
AFTER = 200
MOST_MARKS = 500  # of each kind


@dataclass(frozen=True, slots=True)
class Gap:
    """连着几个没有 K 线的交易日;`calls` 是再取一遍要的请求数,停牌的是 0。

    Of minutes a day with fewer bars than usual is one, too: `short` counts what these
    days lack.
    """

    window: Window
    days: tuple[date, ...]
    calls: int = 0
    short: int = 0


@dataclass(slots=True)
class History:
    """一段历史,旧的在前。

    `bars` are what is to be drawn: the stored `klines`, adjusted for splits (`adjust`)
    and made into longer ones (`resample`) where that was asked for. `applied` are the
    splits of the whole series that were, or could not be, adjusted for. `span` are the
    days it is about, None where there is nothing to show. `older` and `newer` tell
    whether there are bars beyond it. `gaps` are days without a bar on which the market
    traded, `idle` those that are explained: the stock was suspended. Only days that
    were audited can be told; `unaudited` counts the weekdays of the stock's coverage,
    shown here, that were not.
    """

    stock: Stock
    period: str
    covered: Window | None
    adjust: str = "none"
    resample: str = ""
    applied: Sequence[Applied] = ()
    bars: Sequence[Kline | Bar] = ()
    klines: Sequence[Kline] = ()
    span: Window | None = None
    older: bool = False
    newer: bool = False
    gaps: list[Gap] = field(default_factory=list)
    idle: list[Gap] = field(default_factory=list)
    unaudited: int = 0
    failures: Sequence[SyncFailure] = ()
    rejected: Sequence[RejectedBar] = ()
    revisions: Sequence[Revision] = ()
    splits: Sequence[Split] = ()
    retrying: Sequence[int] = ()  # the runs that are fetching some of it again

    @property
    def made(self) -> str:
        """返回画出来的周期。"""
        return self.resample or self.period


def history(
    stock: Stock,
    period: str,
    *,
    since: date | None = None,
    until: date | None = None,
    bars: int = BARS,
    adjust: str = "none",
    resample: str = "",
) -> History:
    """取出最近的 K 线和它们旁边的一切;`since` 在不在里面由 `MOST` 决定。

    `until` (included) asks for older ones; with `since` the bars from that day on are
    among them, and where these would be more than MOST, the newest are left out.
    `adjust` and `resample` are as in an `ExportRequest` that was checked.
    """
    row = Coverage.objects.filter(stock=stock, period=period).first()
    found = History(stock, period, row.window if row else None, adjust, resample)
    bars = bars * TOGETHER if resample else bars
    if until and resample in BY_DAYS:
        until = coverage.unit_end(until, resample)
    if since and until is None and _beyond(stock, period, since) >= MOST:
        until = since + _length(AFTER, period)
    if since:
        bars = min(MOST, max(bars, _beyond(stock, period, since, until) + AFTER))
    klines = Kline.objects.of(stock, period=period, end=until)
    newest = list(klines.order_by("-time")[: bars + 1])
    found.older = len(newest) > bars
    found.klines = newest[:bars][::-1]
    _compute(found)
    found.newer = _has_newer(stock, period, until)
    found.span = _span(found, until)
    if found.span:
        _look_around(found, found.span)
    return found


def day_of(kline: Kline | Bar | RejectedBar | Revision, stock: Stock) -> date:
    """一根 K 线属于哪个交易日。"""
    return markets.trade_date(kline.time, market=stock.market, period=kline.period)


def _compute(found: History) -> None:
    """照要求调整和合成;最旧的那根长 K 线不完整的话,留给更早的一段。"""
    stock, period, resample = found.stock, found.period, found.resample
    if resample and found.older:
        found.klines = list(whole(found.klines, bar_starts(stock.market, resample)))
    if found.adjust == "split":
        found.applied = splits_to_apply(stock, period)
    found.bars = found.klines
    if resample or found.adjust == "split":
        found.bars = computed(
            *(found.klines, stock),
            period=period,
            resample=resample,
            applied=found.applied,
        )


def _beyond(stock: Stock, period: str, since: date, until: date | None = None) -> int:
    rows = Kline.objects.of(stock, period=period, start=since, end=until)
    return rows.order_by()[:MOST].count()


def _length(bars: int, period: str) -> timedelta:
    kind = PERIODS[period]
    return timedelta(days=5) if kind.intraday else bars * kind.interval


def _has_newer(stock: Stock, period: str, until: date | None) -> bool:
    if until is None:
        return False
    return Kline.objects.of(stock, period=period, start=until + DAY).exists()


def _span(found: History, until: date | None) -> Window | None:
    """从第一根 K 线到最后一根、覆盖范围的终点、没有取到的日子。"""
    if not found.klines:
        return None
    first = day_of(found.klines[0], found.stock)
    last = day_of(found.klines[-1], found.stock)
    if until is None and found.covered:
        last = max(last, found.covered.end)
    return Window(first, max(last, until) if until and found.newer else last)


def _look_around(found: History, span: Window) -> None:
    stock, period = found.stock, found.period
    every = failures_of(stock.market, period, [stock.stock_code])
    rows = every.get(stock.stock_code, [])
    found.failures = _shown(rows, span, open_ended=not found.newer)
    _tell_gaps(found, rows, span)
    found.retrying = _retrying(rows)
    since, before = markets.bounds(span, market=stock.market, period=period)
    own = {"stock": stock, "period": period}
    inside = own | {"time__gte": since, "time__lt": before}
    rejected = RejectedBar.objects.filter(**inside).exclude(time=NO_TIME)
    found.rejected = list(rejected.order_by("-time")[:MOST_MARKS])
    revisions = Revision.objects.filter(**inside).select_related(None)
    found.revisions = list(revisions.order_by("-time")[:MOST_MARKS])
    splits = Split.objects.filter(market=stock.market, stock_code=stock.stock_code)
    days = (span.start, span.end)
    found.splits = list(splits.filter(ex_date__range=days)[:MOST_MARKS])


def _shown(
    rows: Sequence[SyncFailure], span: Window, *, open_ended: bool
) -> list[SyncFailure]:
    """等着的和放弃了的,新的在前;比最后一根 K 线还新的也算。"""
    kept = [
        row
        for row in rows
        if row.status != FailureStatus.DONE
        and row.end_date >= span.start
        and (open_ended or row.start_date <= span.end)
    ]
    return sorted(kept, key=lambda row: row.start_date, reverse=True)[:MOST_MARKS]


def _retrying(rows: Sequence[SyncFailure]) -> list[int]:
    holders = {row.run_id for row in rows if row.waits and row.run_id}
    if not holders:
        return []
    busy = SyncRun.objects.active().filter(kind=RunKind.RETRY, pk__in=holders)
    return sorted(busy.values_list("pk", flat=True))


def _tell_gaps(found: History, rows: list[SyncFailure], span: Window) -> None:
    """哪些交易日没有 K 线,是缺口还是停牌。"""
    if not (found.covered and found.klines):
        return
    due = _due(found, span, found.covered)
    if due is None:
        return
    days = MarketDay.objects.of(found.stock.market, found.period, window=due)
    audited = {row.day: row for row in days}
    traded = [day for day, row in audited.items() if row.present]
    have = Counter(day_of(kline, found.stock) for kline in found.klines)
    short = _short(found, due, audited.values(), have)
    missing = {day: 1 for day in traded if day not in have} | short
    missing = dict(sorted(missing.items()))
    idle = suspensions_of(found.period, [found.stock.pk]).get(found.stock.pk, [])
    kinds = judged(found.stock, missing, rows, idle, traded=traded)
    quiet = [day for day, kind in kinds.items() if kind == "suspended"]
    lacking = [day for day, kind in kinds.items() if kind != "suspended"]
    found.idle = _gaps(quiet, traded, period=None)
    found.gaps = _gaps(lacking, traded, period=found.period, short=short)
    found.unaudited = _unaudited(due, audited, have, found.period)


def _short(
    found: History, due: Window, rows: Iterable[MarketDay], have: Counter[date]
) -> dict[date, int]:
    """分钟线上根数比平时少的交易日,各少几根。

    Only on days on which the audit found that bars are missing in the market; the
    oldest day may have been cut.
    """
    suspects = {row.day for row in rows if 0 < row.present < row.expected}
    if not PERIODS[found.period].intraday or suspects.isdisjoint(have):
        return {}
    cut = day_of(found.klines[0], found.stock) if found.older else None
    counts = {day: count for day, count in have.items() if day != cut}
    calendar = Calendar(found.stock.market, window=due)
    short = short_days(calendar, counts, window=due)
    return {day: count for day, count in short.items() if day in suspects}


def _due(found: History, span: Window, covered: Window) -> Window | None:
    """这里面每个交易日都应该有 K 线:从第一根起,到覆盖范围的终点。"""
    period = found.period
    start = markets.unit_start(span.start, period)
    end = min(covered.end, span.end)
    if found.stock.silences.filter(period=period, gone_at__isnull=False).exists():
        end = min(end, day_of(found.klines[-1], found.stock))
    end = markets.unit_start(coverage.last_whole(end, period), period)
    return Window(start, end) if start <= end else None


def _gaps(
    days: Sequence[date],
    traded: Sequence[date],
    *,
    period: str | None,
    short: Mapping[date, int] = MappingProxyType({}),
) -> list[Gap]:
    found = []
    for window in runs_of(days, among=traded):
        inside = tuple(day for day in days if window.start <= day <= window.end)
        calls = paging.pages(window, period) if period else 0
        lacking = sum(short.get(day, 0) for day in inside)
        found.append(Gap(window, inside, calls, lacking))
    return found


def _unaudited(
    due: Window, audited: Collection[date], have: Collection[date], period: str
) -> int:
    """没有 K 线、也没有核对过的周一到周五;周和月不数。"""
    if period in {"week", "month"}:
        return 0
    first, last = min(audited, default=date.max), max(audited, default=date.min)
    spaces = unlisted(sorted(audited), period)
    length = (due.end - due.start) // DAY + 1
    return sum(
        day.weekday() < coverage.SATURDAY and day not in have
        for day in (due.start + n * DAY for n in range(length))
        if not first <= day <= last
        or any(space.start <= day <= space.end for space in spaces)
    )
