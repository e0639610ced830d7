"""要做的事有多少:一只股票也没有要取的,大约要几次请求。"""

from __future__ import annotations

from collections.abc import Iterable

from sync.engine.paging import pages
from sync.engine.ports import Task


def complete(tasks: Iterable[Task]) -> int | None:
    """数出股票,如果全都已经齐全;看到第一只有要取的就停下,返回 None。"""
    stocks = 0
    for task in tasks:
        if task.windows:
            return None
        stocks += 1
    return stocks


def calls_wanted(tasks: Iterable[Task], *, most: int) -> int:
    """估计大约要几次请求,至少一次;到了 `most` 就不再数。"""
    calls = 0
    for task in tasks:
        calls += sum(pages(window, task.period) for window in task.windows)
        if calls >= most:
            break
    return max(1, calls)
