"""市场日:核对的结果,每个市场、周期和日子一行。"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise

from django.db import transaction
from django.db.models import Max, Min

from sync.engine.coverage import DAY
from sync.engine.markets import unit_start
from sync.engine.ports import Window
from sync.models import Coverage, MarketDay, Stock

from .spans import Day

# No exchange is closed for longer: from one row to the next are more days than this
# only where nobody has audited.
LONGEST_BREAK = {"week": timedelta(21), "month": timedelta(62)}
LONGEST_BREAK_OF_DAYS = timedelta(14)
COLUMNS = ("expected", "present", "suspended", "missing", "waiting", "audited_at")


@dataclass(slots=True)
class Tally:
    """每天缺的 K 线根数,按缺的是什么。"""

    suspended: Counter[date] = field(default_factory=Counter)
    missing: Counter[date] = field(default_factory=Counter)
    waiting: Counter[date] = field(default_factory=Counter)

    def add(self, day: date, kind: str, *, bars: int) -> None:
        """记入一只股票的一天;`kind` 是 suspended、waiting 或 hole。"""
        if kind == "suspended":
            self.suspended[day] += bars
            return
        self.missing[day] += bars
        if kind == "waiting":
            self.waiting[day] += bars


def write_days(
    market: str,
    period: str,
    days: Sequence[Day],
    tally: Tally,
    *,
    window: Window,
    at: datetime,
) -> None:
    """写下区间里每天的结果,去掉不再是交易日的,用一个事务。

    `at` is when the audit began: days that another has audited since are left alone.
    """
    units = Window(unit_start(window.start, period), window.end)
    rows = MarketDay.objects.of(market, period, window=units)
    wanted = {row.day: row for row in _rows(market, period, days, tally, at=at)}
    with transaction.atomic():
        # In one order, so that of two audits at once one waits for the other.
        there = {row.day: row for row in rows.select_for_update()}
        newer = {day for day, row in there.items() if row.audited_at > at}
        gone = there.keys() - wanted.keys() - newer
        rows.filter(day__in=sorted(gone)).delete()
        again = [day for day in wanted if day in there and day not in newer]
        MarketDay.objects.bulk_update(
            [_with_key(wanted[day], there[day]) for day in again], COLUMNS, 200
        )
        MarketDay.objects.bulk_create(
            [row for day, row in wanted.items() if day not in there],
            ignore_conflicts=True,
        )


def unaudited(market: str, period: str, *, before: date) -> Window | None:
    """找出 `before` 以前没有核对过、或者核对以后又写过的日子,合成一个区间。"""
    ends = Coverage.objects.filter(
        stock__market=market, stock__deleted=False, period=period
    ).aggregate(first=Min("start_date"), last=Max("end_date"))
    rows = MarketDay.objects.filter(market=market, period=period, day__lt=before)
    stale = rows.stale().aggregate(start=Min("day"), end=Max("day"))
    days = [day for day in stale.values() if day]
    listed = list(rows.order_by("day").values_list("day", flat=True))
    first = listed[0] if listed else before
    if ends["first"] and ends["first"] < first:
        days += [ends["first"], first - DAY]
    if ends["last"] and listed:
        listed.append(min(before, ends["last"] + DAY))
    for between in unlisted(listed, period):
        days += [between.start, between.end]
    return Window(min(days), max(days)) if days else None


def unlisted(days: Sequence[date], period: str) -> list[Window]:
    """这些有行的日子之间,比任何休市都长的空当:那里没有核对过。

    A run counts only the newest days that it wrote to, so one that fetches what is
    older than an earlier one leaves such a space. `days` have the oldest first.
    """
    longest = LONGEST_BREAK.get(period, LONGEST_BREAK_OF_DAYS)
    return [
        Window(day + DAY, following - DAY)
        for day, following in pairwise(days)
        if following - day > longest
    ]


def _rows(
    market: str, period: str, days: Iterable[Day], tally: Tally, *, at: datetime
) -> Iterator[MarketDay]:
    """一天一行;没有人交易的日子什么也不该有,但要有足够的股票作证。"""
    witnesses = Stock.objects.active().filter(market=market).count() / 2
    for day in days:
        suspended, missing = tally.suspended[day.day], tally.missing[day.day]
        if not day.have and day.of < witnesses:
            continue
        yield MarketDay(
            market=market,
            period=period,
            day=day.day,
            expected=day.have + suspended + missing,
            present=day.have,
            suspended=suspended,
            missing=missing,
            waiting=tally.waiting[day.day],
            audited_at=at,
        )


def _with_key(row: MarketDay, there: MarketDay) -> MarketDay:
    row.pk = there.pk
    return row
