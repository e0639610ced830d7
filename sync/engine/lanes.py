"""一条通道:拿任务、取数据、报告结果。

What an error means for the stock is decided here, for the token and the call in
`caller.py`:

    LANE_ENDINGS   the stock goes back, the lane ends
    any other      the stock fails, with what is still missing of it
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random
from threading import Event

from . import coverage
from .breaker import Breaker
from .caller import LANE_ENDINGS, LONGEST_WAIT, Caller
from .errors import BadAnswer, NoData, SyncError
from .messages import LaneEnded, Message
from .pacing import RateLimiter
from .paging import Walk
from .plan import Tuning
from .ports import Client, Clock, Failure, Page, Part, Task, Window
from .queues import LaneQueues
from .sharing import FirstPages


class StockInProgress:
    """正在做的一只股票:还没有取到的段。

    `walk` is that of the first piece, which may get its first page together with other
    stocks.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.left = coverage.cut(task.windows, task.covered, task.period)
        self.walk = Walk(task, self.left[0])

    def rest(self) -> Task:
        """返回没有做完的部分,留给别的通道。"""
        windows = tuple(coverage.remaining(self.task.windows, self.left))
        return replace(self.task, windows=windows)


class Lane:
    """一条通道,在自己的线程里拿任务、取数据、报告结果。

    Talks to the rest only through the queues and `report`; never touches the database.
    """

    def __init__(
        self,
        number: int,
        limiters: list[RateLimiter],
        *,
        connect: Callable[[], Client],
        queues: LaneQueues,
        breaker: Breaker,
        report: Callable[[Message], None],
        stop: Event,
        clock: Clock,
        dice: Random,
        tuning: Tuning,
    ) -> None:
        self.number = number
        self.client = connect()
        self._queues = queues
        self._report = report
        self._caller = Caller(
            limiters,
            breaker=breaker,
            report=report,
            stop=stop,
            clock=clock,
            dice=dice,
            tuning=tuning,
        )

    @property
    def limiters(self) -> deque[RateLimiter]:
        """返回这条通道的 Token,轮到的在前。"""
        return self._caller.limiters

    @property
    def batch(self) -> int:
        """返回这条通道的 Token 一次最多能问几只股票。"""
        return max((limiter.batch for limiter in self.limiters), default=1)

    @property
    def wake(self) -> Event:
        """返回协调者有理由让通道再看一眼时设置的事件。"""
        return self._caller.wake

    def run(self) -> None:
        """一直工作到没有任务、没有 Token 或要求停下为止。"""
        error: Exception | None = None
        try:
            while self._work():
                pass
        except Exception as unexpected:  # noqa: BLE001 - outermost frame of a lane
            error = unexpected
        self._report(LaneEnded(self.number, self._close() or error))

    def _close(self) -> Exception | None:
        # Whatever happens here, the coordinator must hear that the lane has ended.
        try:
            self.client.close()
        except Exception as unexpected:  # noqa: BLE001 - outermost frame of a lane
            return unexpected
        return None

    def _work(self) -> bool:
        """做一只股票,或者共用一次请求的几只;该结束时返回 False。"""
        if self._queues.all_done():
            return False
        stocks: list[StockInProgress] = []
        try:
            # A token first: a stock that waits for one had better wait where other
            # lanes can take it.
            if limiter := self._caller.ready():
                stocks += self._take(limiter.batch)
                self._fetch(stocks)
        except LANE_ENDINGS:
            for stock in reversed(stocks):
                self._queues.put_back(self.number, stock.rest())
            return False
        return True

    def _take(self, most: int) -> list[StockInProgress]:
        tasks = self._queues.take(self.number, most=most)
        if not tasks:
            self._queues.wait(LONGEST_WAIT)
        return [StockInProgress(task) for task in tasks]

    def _fetch(self, stocks: list[StockInProgress]) -> None:
        """取这几只股票;做完一只拿掉一只。"""
        walks = [stock.walk for stock in stocks]
        first = FirstPages(walks, caller=self._caller, client=self.client)
        first.ask()
        while stocks:
            self._fetch_one(stocks[0])
            self._queues.finish()
            del stocks[0]
        for trouble in first.too_large():
            self._report(trouble)

    def _fetch_one(self, stock: StockInProgress) -> None:
        """取一只股票的全部区间,报告每一段;失败了报告还缺的区间。

        What has been reported is taken out of `left`. Bars that cannot be used keep no
        stock from being done: they go with their part, and are kept beside the others.
        """
        task, left, walk = stock.task, stock.left, stock.walk
        while left:
            try:
                self._fetch_pages(walk)
            except LANE_ENDINGS:
                raise
            except SyncError as error:
                window = coverage.hull(left)
                self._report(Failure(task, window, error.reason, str(error)))
                return
            fetched = walk.window
            del left[0]
            if walk.exhausted:
                # Nothing is older, so the older pieces need not be asked for.
                older = [window for window in left if window.end < fetched.start]
                fetched = coverage.hull([fetched, *older])
                left[:] = [window for window in left if window not in older]
            self._report(_part(walk, fetched, last=not left))
            if left:
                walk = Walk(task, left[0])

    def _fetch_pages(self, walk: Walk) -> None:
        while not walk.done:
            page = self._page(walk)
            if page.oldest_ms is not None:
                walk.accept(page)
            elif walk.before_coverage and not walk.begun:
                # The stock is known to trade later, and two answers agree that it did
                # not yet: before the listing, which is no fault.
                walk.end_here()
            else:
                end = walk.window.end
                raise NoData(f"no data up to {end}: the answer was empty")
        if walk.complaint:
            raise BadAnswer(walk.complaint)

    def _page(self, walk: Walk) -> Page:
        """取下一页;不该空的却空了,换一个 Token 再问一次。"""
        call = partial(self._call, walk)
        page = self._caller.ask(call)
        expected = walk.begun or walk.task.covered
        if page.oldest_ms is None and expected:
            page = self._caller.ask(call)
        return page

    def _call(self, walk: Walk, limiter: RateLimiter) -> Page:
        request = walk.request()
        page = self.client.fetch(limiter.token, request)
        walk.check(page, request)
        return page


def _part(walk: Walk, fetched: Window, *, last: bool) -> Part:
    task = walk.task
    covered = coverage.confirmed(
        fetched, newest=walk.newest(), final=task.final, period=task.period
    )
    return Part(task, walk.klines(), covered, last, walk.bad)
