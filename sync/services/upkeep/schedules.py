"""按时间做的事:每日同步、补拉、核对,以及 django-q2 里的时间表。

A schedule is a bell too: it asks whether something is due, and the answer lies in the
runs there are. So it does no harm when it fires late, twice or not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.conf import settings
from django_q.models import Schedule

from common.activity import SCHEDULE
from sync.engine import markets
from sync.engine.ports import Window
from sync.models import RunKind, RunState, Stock, SyncFailure, SyncRun
from sync.models.runs import SyncRunQuerySet

from ..calendars.sessions import calendar_until
from ..clock import now as shared_now
from ..errors import AlreadyRunning, Refused
from ..failures.retry import retry_failed
from ..quality.audit import MarketAudit, audit, audit_market, stored_periods
from ..quality.days import unaudited
from ..quality.quotes import learn_suspensions
from ..runs.request import SyncRequest
from ..runs.start import start
from ..tokens.serving import serving

logger = logging.getLogger(__name__)

# How far back a stock is fetched of which nothing is there yet. One that has coverage
# is fetched from its end, however long ago that is.
BACK = timedelta(days=30)
# A day's run that got nowhere is made again, so often at most and not before a while.
MOST = 3
SUNDAY = 6
AGAIN_AFTER = timedelta(hours=1)
NOWHERE = (RunState.FAILED, RunState.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class Entry:
    """时间表里的一行:每隔若干分钟,或者每天、每个周日的某个钟点(UTC)。"""

    name: str
    func: str
    minutes: int | None = None
    hour: int = 0
    weekly: bool = False

    @property
    def type(self) -> str:
        """返回 django-q2 怎样叫它。"""
        if self.minutes:
            return str(Schedule.MINUTES)
        return str(Schedule.WEEKLY if self.weekly else Schedule.DAILY)

    def first(self, at: datetime) -> datetime:
        """返回第一次的时间:马上,或者明天起的第一个钟点。"""
        if self.minutes:
            return at
        day = at.astimezone(UTC) + timedelta(days=1)
        if self.weekly:
            day += timedelta(days=(SUNDAY - day.weekday()) % 7)
        return day.replace(hour=self.hour, minute=0, second=0, microsecond=0)


ENTRIES = (
    Entry("stocksync: recover runs", "sync.tasks.revive_runs", minutes=1),
    Entry("stocksync: alerts", "sync.tasks.watch", minutes=1),
    Entry("stocksync: calendars", "sync.tasks.refresh_calendars", minutes=30),
    Entry("stocksync: daily sync", "sync.tasks.sync_daily", minutes=15),
    Entry("stocksync: retry failures", "sync.tasks.retry_hourly", minutes=60),
    Entry("stocksync: stock lists", "sync.tasks.sync_stocks", hour=0, weekly=True),
    Entry("stocksync: splits", "sync.tasks.sync_splits", hour=1),
    Entry("stocksync: audit", "sync.tasks.audit_daily", hour=2),
    Entry("stocksync: verification", "sync.tasks.verify_daily", hour=23),
    Entry("stocksync: clean up", "sync.tasks.clean_up", hour=3),
)


@dataclass(frozen=True, slots=True)
class SetUp:
    """时间表的名字:新建的和原来就有的。"""

    created: list[str]
    kept: list[str]


def setup_schedules(*, at: datetime) -> SetUp:
    """建好缺少的时间表;已经有的一个字也不改,因为可能有人改过。"""
    names = [entry.name for entry in ENTRIES]
    there = set(Schedule.objects.filter(name__in=names).values_list("name", flat=True))
    missing = [entry for entry in ENTRIES if entry.name not in there]
    Schedule.objects.bulk_create(_row(entry, at=at) for entry in missing)
    for entry in missing:
        _only_one(entry.name)
    return SetUp(
        created=[entry.name for entry in missing],
        kept=[name for name in names if name in there],
    )


def sync_daily(*, at: datetime) -> list[int]:
    """收盘以后同步每个有股票的市场,返回登记的运行。

    Each of STOCK_SYNC_DAILY_PERIODS in a run of its own, those named first first. Due
    is a market whose last session, by its exchange's calendar and clock, is over
    for good and has no scheduled run yet. Markets that no token serves are told of once
    and left out.
    """
    stocks = Stock.objects.active().order_by().values_list("market", flat=True)
    known = set(stocks.distinct()) & set(markets.MARKETS)
    asked = serving(sorted(known), at=at)
    if asked.unserved:
        missed = ", ".join(asked.unserved)
        logger.warning("No scheduled sync of %s: %s", missed, asked.why)
    periods = dict.fromkeys(settings.STOCK_SYNC_DAILY_PERIODS)
    runs = (
        _sync_market(market, period, at=at)
        for period in periods
        for market in asked.served
    )
    return [run.pk for run in runs if run]


def retry_hourly(*, at: datetime) -> int | None:
    """有等待补拉的记录时登记一次补拉,返回它的编号。"""
    most = settings.STOCK_SYNC_MAX_RETRY_COUNT
    if not SyncFailure.objects.waiting(max_retry_count=most).exists():
        return None
    scheduled = SyncRun.objects.filter(requested_by=SCHEDULE, kind=RunKind.RETRY)
    if running := scheduled.active().first():
        _say_still_running(running)
        return None
    try:
        return retry_failed(at=at, by=SCHEDULE, background=True).pk
    except AlreadyRunning as error:
        logger.info("No scheduled retry: %s", error)
    except Refused as error:
        logger.warning("No scheduled retry: %s", error)
    return None


def audit_daily(
    *, at: datetime, now: Callable[[], datetime] = shared_now
) -> list[MarketAudit]:
    """核对最近的日子和还没有核对过的,把最近的缺口登记为等待补拉的失败。

    Older days are audited once, and again after a run wrote to them; their holes are
    filed, too.
    """
    today = at.date()
    recent = Window(today - BACK, today)
    for market, period in stored_periods():
        if older := unaudited(market, period, before=recent.start):
            audit_market(market, period, window=older, record=True, at=at)
    for market, period in stored_periods():
        if period == "day":
            # Before holes are filed: what a quote explains is asked for no more.
            found = audit_market(market, period, window=recent, at=at)
            learn_suspensions(found, now=now)
    audits = audit(window=recent, record=True, at=at)
    for found in audits:
        if found.period == "day":
            _tell_short_days(found)
    return audits


def _tell_short_days(found: MarketAudit) -> None:
    for day in found.short_days:
        logger.warning(
            "%s: %d of %d stocks have a bar of %s",
            found.market,
            day.have,
            day.of,
            day.day,
            extra={"event": "day.incomplete"},
        )


def _row(entry: Entry, *, at: datetime) -> Schedule:
    return Schedule(
        name=entry.name,
        func=entry.func,
        schedule_type=entry.type,
        minutes=entry.minutes,
        next_run=entry.first(at),
    )


def _only_one(name: str) -> None:
    """两台机器同时建好的,留下第一个;后提交的总看得见先提交的。"""
    rows = Schedule.objects.filter(name=name).order_by("pk")
    if first := rows.first():
        rows.exclude(pk=first.pk).delete()


def _sync_market(market: str, period: str, *, at: datetime) -> SyncRun | None:
    final = markets.last_final(market, at=at)
    scheduled = SyncRun.objects.filter(
        requested_by=SCHEDULE, kind=RunKind.BATCH, market=market, period=period
    )
    # The calendar is expensive to load, so what needs none is asked first.
    if scheduled.filter(end_date=final, state=RunState.SUCCEEDED).exists():
        return None
    if running := scheduled.active().first():
        _say_still_running(running)
        return None
    day = calendar_until(market, final).last_session(final)
    if not _is_due(scheduled.filter(end_date=day), at=at):
        return None
    return _start(market, period, day, at=at)


def _is_due(made: SyncRunQuerySet, *, at: datetime) -> bool:
    nowhere = made.filter(state__in=NOWHERE)
    if made.count() > nowhere.count():
        return False
    lately = nowhere.filter(created_at__gt=at - AGAIN_AFTER)
    return nowhere.count() < MOST and not lately.exists()


def _start(market: str, period: str, day: date, *, at: datetime) -> SyncRun | None:
    span = calendar_until(market, day).known
    if span and day > span.end:
        logger.warning(
            "The calendar of %s ends on %s: upgrade exchange-calendars",
            market,
            span.end,
            extra={"event": "calendar.ended"},
        )
    request = SyncRequest(start=day - BACK, end=day, markets=(market,), period=period)
    try:
        return start(request, at=at, by=SCHEDULE, background=True)
    except AlreadyRunning as error:
        logger.info("No scheduled sync of %s: %s", market, error)
    except Refused as error:
        logger.warning("No scheduled sync of %s: %s", market, error)
    return None


def _say_still_running(run: SyncRun) -> None:
    logger.info(
        "Nothing was started: run %d of the schedule is still going",
        run.pk,
        extra={"event": "schedule.skipped", "run": run.pk},
    )
