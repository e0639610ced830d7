"""一条通道:拿任务、取数据、报告结果。

What an error means for the stock is decided here, for the token and the call in
`caller.py`:

    LANE_ENDINGS   the stock goes back, the lane ends
    any other      the stock fails, with what is still missing of it
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from random import Random
from threading import Event
from typing import NamedTuple

from . import coverage, markets, paging
from .breaker import Breaker
from .caller import LANE_ENDINGS, LONGEST_WAIT, Caller, NoneOfThem
from .depth import Depths, Place, Unreached
from .errors import ProviderDown, RateLimited, SyncError
from .messages import LaneEnded, Message
from .pacing import RateLimiter
from .paging import Walk
from .plan import Tuning
from .ports import Client, Clock, Failure, Page, Part, Task, Window
from .queues import LaneQueues
from .search import Search
from .sharing import FirstPages


class StockInProgress:
    """正在做的一只股票:还没有取到的段。

    `search` is that of the first piece, which may get its first page together with
    other stocks; `unreached` is what is known so far of older history.
    """

    def __init__(
        self, task: Task, *, depths: Depths, epoch: Callable[[], float]
    ) -> None:
        self.task = task
        self.left = coverage.cut(task.windows, task.covered, task.period)
        self.unreached = task.unreached
        self._depths = depths
        self._epoch = epoch
        self.search = self._next(after=None)

    def rest(self) -> Task:
        """返回没有做完的部分,留给别的通道;整个重新取的从头来。"""
        return self.task if self.task.anew else self._left()

    def _left(self) -> Task:
        windows = tuple(coverage.remaining(self.task.windows, self.left))
        return replace(self.task, windows=windows)

    def taken(self) -> Part:
        """交出翻完了的一段,开始下一段。

        Where the walk ended because nothing is older, or nobody sees it, the older
        pieces need not be asked for.
        """
        search, walk = self.search, self.search.walk
        del self.left[0]
        if walk.exhausted:
            self.left[:] = [w for w in self.left if w.end > walk.window.end]
            self.unreached = search.unreached
        elif self.unreached and walk.window.start < self.unreached.place.day:
            self.unreached = None
        part = _part(search, last=not self.left, unreached=self.unreached)
        if self.left:
            self.search = self._next(after=walk)
        return part

    def handed_on(self) -> tuple[Part, Task]:
        """交出翻到的部分;更旧的留给别的通道的 Token。"""
        search, walk = self.search, self.search.walk
        search.give_up()
        unreached = search.unreached
        assert unreached
        part = _part(search, last=False, unreached=unreached)
        covered = self.task.covered
        if part.covered:
            covered = coverage.join(covered, part.covered)
        older = min(walk.window.end, unreached.place.day - coverage.DAY)
        self.left[0] = Window(walk.window.start, older)
        return part, replace(self._left(), covered=covered, unreached=unreached)

    def _next(self, *, after: Walk | None) -> Search:
        window = self.left[0]
        walk = Walk(self.task, window, self._top(window, after))
        before = self.unreached
        if before and window.end >= before.place.day:
            before = None
        wanted = min(window.start for window in self.left)
        return Search(
            walk,
            trades=walk.before_coverage or bool(before or after),
            wanted=markets.unit_start(wanted, self.task.period),
            depths=self._depths,
            epoch=self._epoch,
            before=before,
        )

    def _top(self, window: Window, after: Walk | None) -> Place:
        """这个区间从这只股票最新的第几根以前开始。"""
        day = window.end + coverage.DAY
        if after and after.window.start == day:
            return replace(after.place, day=day)
        if self.unreached and day <= self.unreached.place.day:
            return replace(self.unreached.place, day=day)
        if day > self.task.final:
            return Place(day, 0)
        newer = Window(day, self.task.final)
        return Place(day, *paging.estimated(newer, self.task.period))


class AtWork(NamedTuple):
    """一条通道正在做的股票,从纪元秒 `since` 起;和它共用请求的还有 `more` 只。"""

    code: str
    more: int
    since: float


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
        depths: Depths,
    ) -> None:
        self.number = number
        self.client = connect()
        # For who looks on: set as a whole by this lane's thread, and read by another.
        self.at_work: AtWork | None = None
        self.dealt = tuple(limiters)
        self._queues = queues
        self._report = report
        self._depths = depths
        self._epoch = clock.epoch
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

    def deal(self, limiters: Sequence[RateLimiter]) -> None:
        """换成这些 Token;由协调者的线程调用。一个也没有,就等它们回来。"""
        self.dealt = tuple(limiters)
        self._caller.deal(limiters)

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
        except LANE_ENDINGS as end:
            asked = isinstance(end, ProviderDown)
            for stock in reversed(stocks):
                rest = replace(stock.rest(), unanswered=asked)
                self._queues.put_back(self.number, rest)
            return False
        finally:
            self.at_work = None
        return True

    def _take(self, most: int) -> list[StockInProgress]:
        tasks = self._queues.take(self.number, most=most, fits=self._fits)
        if not tasks:
            self._queues.wait(LONGEST_WAIT, fits=self._fits)
        return [
            StockInProgress(task, depths=self._depths, epoch=self._epoch)
            for task in tasks
        ]

    def _fits(self, task: Task) -> bool:
        """这条通道的 Token 看不看得到;哪里都没有看得到的,谁拿都一样。"""
        unreached = task.unreached
        if unreached is None or task.windows[0].start >= unreached.place.day:
            return True
        worth = self._depths.worth_asking(
            task.period, unreached.place, asked=unreached.asked, at=self._epoch()
        )
        return not worth or not worth.isdisjoint(self._tokens)

    @property
    def _tokens(self) -> set[int]:
        return {limiter.token.id for limiter in self.limiters}

    def _fetch(self, stocks: list[StockInProgress]) -> None:
        """取这几只股票;做完一只拿掉一只。"""
        searches = [stock.search for stock in stocks]
        first = FirstPages(searches, caller=self._caller, client=self.client)
        began = self._epoch()
        self._show(stocks, since=began)
        first.ask()
        while stocks:
            self._show(stocks, since=began)
            if rest := self._fetch_one(stocks[0]):
                self._queues.put_back(self.number, rest)
            else:
                self._queues.finish()
            del stocks[0]
            began = self._epoch()
        for trouble in first.too_large():
            self._report(trouble)

    def _show(self, stocks: Sequence[StockInProgress], *, since: float) -> None:
        if stocks:
            self.at_work = AtWork(stocks[0].task.code, len(stocks) - 1, since)

    def _fetch_one(self, stock: StockInProgress) -> Task | None:
        """取一只股票的全部区间,报告每一段;失败了报告还缺的区间。

        Returns what tokens of other lanes have to be asked for. What has been reported
        is taken out of `left`. Bars that cannot be used keep no stock from being done:
        they go with their part, and are kept beside the others.
        """
        while stock.left:
            try:
                ended = self._fetch_pages(stock.search)
            except LANE_ENDINGS:
                raise
            except SyncError as error:
                window = coverage.hull(stock.left)
                self._report(Failure(stock.task, window, error.reason, str(error)))
                return None
            if not ended:
                part, rest = stock.handed_on()
                self._report(part)
                return rest
            self._report(stock.taken())
        return None

    def _fetch_pages(self, search: Search) -> bool:
        """翻到头为止;更旧的只有别的通道的 Token 看得到时返回 False。"""
        while not search.walk.done:
            worth = search.worth
            if worth is not None and not worth:
                search.end_here()
            elif worth is not None and worth.isdisjoint(self._tokens):
                return False
            else:
                self._next_page(search, worth)
        return True

    def _next_page(self, search: Search, among: Collection[int] | None) -> None:
        """取下一页;`among` 是值得问的 Token,None 是谁都行。"""
        try:
            token, page = self._caller.ask(
                partial(self._call, search.walk), among=among
            )
        except NoneOfThem:
            return  # they have left the run meanwhile: look again
        search.take(token, page)

    def _call(self, walk: Walk, limiter: RateLimiter) -> tuple[int, Page]:
        request = walk.request()
        try:
            page = self.client.fetch(limiter.token, request)
        except RateLimited:
            limiter.trust()
            raise
        walk.check(page, request)
        return limiter.token.id, page


def _part(search: Search, *, last: bool, unreached: Unreached | None) -> Part:
    walk, task, fetched = search.walk, search.walk.task, search.fetched
    covered = fetched and coverage.confirmed(
        fetched, newest=walk.newest(), final=task.final, period=task.period
    )
    return Part(
        task,
        walk.klines(),
        covered,
        last,
        rejected=walk.bad,
        unreached=unreached,
        idle=walk.idle(),
        overlap=walk.overlap(),
        span=walk.span(),
        reach=walk.reach(),
    )
