"""抽查的一次请求:问一段,比较,记下。"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Event, Thread

from common.races import again_after_a_lost_race
from sync.engine.errors import StockFault, SyncError, Unreachable
from sync.engine.paging import Walk
from sync.engine.ports import Page, Part, Task, Token
from sync.models.verification import Compared
from sync.providers.itick import ItickClient
from sync.storage.verifying import note_calls, verify_part
from tokens.validation import allowed_hosts

from ..tokens.in_turn import ATTEMPTS, Stopped, Wait, ask_in_turn

LOOK = 0.1  # seconds between two looks at whether to stop


@dataclass(frozen=True, slots=True)
class Asking:
    """怎样请求:用哪条通道,怎样等,什么时候停。"""

    client: ItickClient
    wait: Wait | None
    stop: Event
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Answered:
    """一个任务比较的结果;没有问到回答的话,为什么。"""

    compared: Compared
    problem: SyncError | None = None


@contextmanager
def client_until(stop: Event) -> Iterator[ItickClient]:
    """给出一条通道;`stop` 一设置,正在进行的请求就打断。"""
    client, done = ItickClient(allowed_hosts=allowed_hosts()), Event()

    def watch() -> None:
        while not done.wait(LOOK):
            if stop.is_set():
                client.abort()
                return

    watcher = Thread(target=watch, name="stock-sync-verification", daemon=True)
    watcher.start()
    try:
        yield client
    finally:
        done.set()
        watcher.join()
        client.close()


def verified(task: Task, asking: Asking, *, most: int) -> Answered:
    """用最多 `most` 次请求问一个任务的区间,和存下的比较,结果写进数据库。

    What the provider says against the stock itself is no problem here: what that means
    is for a run to find out. Raises Stopped, and Refused as `ask_in_turn` does.
    """
    walk, problem = Walk(task, task.windows[0]), None
    call = _Call(walk, asking, most=most)
    try:
        call.ask()
    except StockFault:
        pass
    except SyncError as error:
        problem = error
    except Stopped:
        if not call.count:
            raise
    if walk.begun:
        write = partial(verify_part, _part(walk), calls=call.count)
    else:
        write = partial(note_calls, task.market, call.count)
    return Answered(again_after_a_lost_race(partial(write, at=asking.now())), problem)


class _Call:
    """问一页,数一数问了几次:一个 Token 问不到就换一个。"""

    def __init__(self, walk: Walk, asking: Asking, *, most: int) -> None:
        self.count = 0
        self._most = most
        self._walk = walk
        self._asking = asking

    def ask(self) -> None:
        """问到的话让 `walk` 收下;一页空的什么也不说明。"""
        asking, market = self._asking, self._walk.task.market
        page = ask_in_turn(
            market,
            self._fetch,
            purpose="verification",
            now=asking.now,
            wait=asking.wait,
            attempts=min(ATTEMPTS, self._most),
        )
        if page.oldest_ms is not None:
            self._walk.accept(page)

    def _fetch(self, token: Token) -> Page:
        self.count += 1
        request = self._walk.request()
        try:
            page = self._asking.client.fetch(token, request)
        except Unreachable as error:
            if self._asking.stop.is_set():
                raise Stopped from error  # no other token is to try
            raise
        self._walk.check(page, request)
        return page


def _part(walk: Walk) -> Part:
    """取到的一段;不增加覆盖范围,也不是哪次运行的。"""
    return Part(
        walk.task,
        walk.klines(),
        covered=None,
        last=False,
        rejected=walk.bad,
        idle=walk.idle(),
        span=walk.span(),
    )
