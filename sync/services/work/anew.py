"""整个重新取的股票:历史换了口径,要取的不是缺的几天,而是全部。"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sync.engine import coverage, markets
from sync.engine.ports import Task, Window
from sync.models import Kline, RestatementState


def restated(task: Task, state: str, *, asks: bool, at: datetime) -> Task:
    """历史变了的股票的任务:等着重新取的取全部,等人决定的什么也不取。

    `state` is that of its open restatement, empty without one. Whatever the run was
    asked for: what waits is done by the first that meets it. One that `asks` does so
    although the stock waits for a person.
    """
    if state == RestatementState.WAITING:
        return _whole(task, at=at)
    if state and not asks:
        return replace(task, windows=())
    return task


def _whole(task: Task, *, at: datetime) -> Task:
    """取全部历史:存下的、要的,从最早的到最新的。"""
    windows = [*task.windows, *([task.covered] if task.covered else [])]
    bars = Kline.objects.filter(stock_id=task.stock_id, period=task.period)
    times = bars.values_list("time", flat=True)
    for time in (times.order_by("time").first(), times.order_by("-time").first()):
        if time:
            day = markets.trade_date(time, market=task.market, period=task.period)
            windows.append(Window(day, day))
    whole = coverage.hull(windows)
    end = min(whole.end, markets.latest(task.market, at=at))
    window = Window(whole.start, max(end, whole.start))
    return replace(task, windows=(window,), covered=None, anew=True)
