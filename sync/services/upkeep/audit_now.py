"""有人要现在就核对:交给工作进程做。"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from functools import partial

from django.db import transaction
from django_q.tasks import async_task

from common.activity import note
from sync.engine.ports import Window
from sync.models import Verb

from ..checks import check_market, check_period
from ..quality.audit import audit_market
from ..quality.days import unaudited
from ..quality.lacking import window_of
from .schedules import BACK


def audit_soon(markets: Sequence[str], period: str, *, day: date | None = None) -> None:
    """让工作进程核对这些市场:这一天,或者最近一个月和还没有核对过的。"""
    check_period(period)
    for market in markets:
        check_market(market)
    with transaction.atomic():
        for market in markets:
            note(Verb.MARKET_AUDITED, market, period=period)
            transaction.on_commit(partial(_enqueue, market, period, day))


def audit_one(market: str, period: str, *, day: date | None, at: datetime) -> int:
    """核对一个市场,登记缺口,返回新登记了几条。"""
    if day:
        windows = [window_of(day, period)]
    else:
        recent = Window(at.date() - BACK, at.date())
        older = unaudited(market, period, before=recent.start)
        windows = [window for window in (older, recent) if window]
    audits = [
        audit_market(market, period, window=window, at=at, record=True)
        for window in windows
    ]
    return sum(found.recorded for found in audits)


def _enqueue(market: str, period: str, day: date | None) -> None:
    async_task(
        "sync.tasks.audit_market",
        market=market,
        period=period,
        day=day.isoformat() if day else "",
        task_name=f"audit {market} {period}",
    )
