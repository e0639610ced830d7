"""一次运行是不是什么也没有取到,虽然应该有 K 线。"""

from __future__ import annotations

from datetime import datetime

from sync.engine import coverage, markets
from sync.engine.ports import Window
from sync.models import Kline, RunKind, RunState, SyncRun

from ..calendars.sessions import calendar_until
from ..work.batch import markets_of, stocks_of

ENDED = (RunState.SUCCEEDED, RunState.PARTIAL)


def brought_nothing(run: SyncRun) -> bool:
    """判断一次成功的运行是不是问了股票、一根 K 线也没有存,而应该有。

    Bars were due where none of its stocks has one of the window's last session: on a
    holiday there is nothing to have, and what was there before is no news. Only a run
    that stored nothing costs a query.
    """
    asked = run.state in ENDED and run.succeeded and run.kind != RunKind.RETRY
    if not asked or run.klines or run.finished_at is None:
        return False
    return any(
        _is_due(run, market, at=run.finished_at)
        for market in run.markets or markets_of(run)
    )


def _is_due(run: SyncRun, market: str, *, at: datetime) -> bool:
    final = coverage.last_whole(markets.last_final(market, at=at), run.period)
    until = min(run.window.end, final)
    if market in run.unserved or until < run.window.start:
        return False
    session = calendar_until(market, until).last_session(until)
    if session < run.window.start:
        return False
    unit = coverage.widen(Window(session, session), run.period)
    since, before = markets.bounds(unit, market=market, period=run.period)
    stocks = stocks_of(run).filter(market=market)
    bars = Kline.objects.filter(
        stock__in=stocks, period=run.period, time__gte=since, time__lt=before
    )
    return stocks.exists() and not bars.exists()
