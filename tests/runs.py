"""执行运行的测试共用的:假的服务商、登记和执行。"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, timedelta
from threading import Event
from typing import Any

from sync.engine.ports import Page, PageRequest, Token
from sync.models import SyncRun, SyncShard
from sync.services import SyncRequest, execute, start
from tests.engine.exchange import Exchange, daily, weekdays
from tokens.models import ApiToken

from .rows import AT, WINDOW

EXCHANGE = Exchange(daily(weekdays(date(2026, 1, 1), date(2026, 3, 9))))
NEW_YORK = Exchange(EXCHANGE.stamps, market="US")
BARS = 6  # weekdays in WINDOW
HOUR = timedelta(hours=1)


def honest(_token: Token, request: PageRequest) -> Page:
    return (NEW_YORK if request.market == "US" else EXCHANGE).fetch(request)


def started(**wanted: Any) -> SyncRun:
    request = {"start": WINDOW.start, "end": WINDOW.end, **wanted}
    return start(SyncRequest(**request), at=AT)


def executed(run: SyncRun, *, stop: Event | None = None, **more: Any) -> SyncRun:
    return execute(run, stop=stop or Event(), now=lambda: AT, **more)


def cut(shards: int, **more: Any) -> SyncRun:
    """登记一次分成几片的运行。"""
    request = SyncRequest(WINDOW.start, WINDOW.end, shards=shards, **more)
    return start(request, at=AT)


def shard_of(run: SyncRun, number: int) -> SyncShard:
    return run.shards.get(number=number)


def states(run: SyncRun) -> list[str]:
    """运行的状态,然后是每个分片的。"""
    run.refresh_from_db()
    shards = run.shards.order_by("number").values_list("state", flat=True)
    return [run.state, *shards]


def numbers(run: SyncRun) -> tuple[int, int, int, int, int]:
    return run.stocks, run.succeeded, run.failed, run.skipped, run.klines


def no_token_is_held() -> bool:
    return not ApiToken.objects.exclude(leased_by="").exists()


class Waiting(Event):
    """不真的等待的停止事件:每次等待时做一件事。"""

    def __init__(self, *actions: Callable[[], object]) -> None:
        super().__init__()
        self.actions: list[Callable[[], object]] = list(actions)

    def wait(self, timeout: float | None = None) -> bool:
        if threading.current_thread() is threading.main_thread() and self.actions:
            self.actions.pop(0)()
        return self.is_set()
