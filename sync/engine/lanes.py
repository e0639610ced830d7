"""一条通道:拿任务、取数据、报告结果。

What an error means for the stock is decided here, for the token in `caller.py`:

    StockFault, Transient     the stock fails, with what is still missing of it
    NoToken, Cancelled, ProviderDown   the stock goes back, the lane ends
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from threading import Event

from . import coverage
from .breaker import Breaker
from .caller import LONGEST_WAIT, Caller, TokenOut, TokenRests
from .deck import Deck
from .errors import (
    BadAnswer,
    Cancelled,
    NoData,
    NoToken,
    ProviderDown,
    StockFault,
    Transient,
)
from .pacing import Meter
from .paging import Walk
from .ports import Client, Clock, Failure, Page, Part, Task, Window
from .sharing import BatchTooLarge, FirstPages


@dataclass(frozen=True, slots=True)
class LaneEnded:
    """一条通道结束了;`error` 是意外的异常。"""

    number: int
    error: Exception | None = None


Message = Part | Failure | TokenOut | TokenRests | BatchTooLarge | LaneEnded


class _Hand:
    """手里的一只股票:还没有取到的段,和取到了却缺 K 线的段。

    `walk` is that of the first piece, which may get its first page together with other
    stocks.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.left = coverage.cut(task.windows, task.covered, task.period)
        self.spoiled: list[Walk] = []
        self.walk = Walk(task, self.left[0])

    def rest(self) -> Task:
        """没有做完的部分,留给别的通道。"""
        again = [*self.left, *(walk.window for walk in self.spoiled)]
        windows = tuple(coverage.remaining(self.task.windows, again))
        return replace(self.task, windows=windows)


class Lane:
    """一条通道,在自己的线程里运行。

    Talks to the rest only through the deck and `report`; never touches the database.
    """

    def __init__(
        self,
        number: int,
        meters: list[Meter],
        *,
        connect: Callable[[], Client],
        deck: Deck,
        breaker: Breaker,
        report: Callable[[Message], None],
        stop: Event,
        clock: Clock,
        dice: Random,
    ) -> None:
        self.number = number
        self.client = connect()
        self._deck = deck
        self._report = report
        self._caller = Caller(
            meters, breaker=breaker, report=report, stop=stop, clock=clock, dice=dice
        )

    @property
    def meters(self) -> deque[Meter]:
        """这条通道的 Token。"""
        return self._caller.meters

    @property
    def wake(self) -> Event:
        """有理由再看一眼时,由协调者设置。"""
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
        """做一个任务,或者几个共用一次请求的;该结束时返回 False。

        A token first: what waits for one had better wait where others can take it.
        """
        if self._caller.stopped or self._deck.idle():
            return False
        hands: list[_Hand] = []
        try:
            if meter := self._caller.ready():
                hands += self._take(meter.batch)
                self._serve(hands)
        except (NoToken, Cancelled, ProviderDown):
            for hand in reversed(hands):
                self._deck.put_back(self.number, hand.rest())
            return False
        return True

    def _take(self, most: int) -> list[_Hand]:
        tasks = self._deck.take(self.number, seconds=LONGEST_WAIT, most=most)
        return [_Hand(task) for task in tasks]

    def _serve(self, hands: list[_Hand]) -> None:
        """做完手里的几只股票;做完一只拿掉一只。"""
        walks = [hand.walk for hand in hands]
        first = FirstPages(walks, caller=self._caller, client=self.client)
        first.ask()
        while hands:
            self.do(hands[0])
            self._deck.finish()
            del hands[0]
        for trouble in first.too_large():
            self._report(trouble)

    def do(self, hand: _Hand) -> None:
        """取一只股票的全部区间,报告每一段;失败了报告还缺的区间。

        What has been reported is taken out of `left`. Pieces with bars that had to be
        left out are stored, join `spoiled`, and make the stock fail in the end: a bar
        that is missing must not be missing silently.
        """
        task, left, spoiled = hand.task, hand.left, hand.spoiled
        walk = hand.walk
        while left:
            try:
                self._fetch(walk)
            except (StockFault, Transient) as error:
                missed = [*left, *(walk.window for walk in spoiled)]
                window = coverage.hull(missed)
                self._report(Failure(task, window, error.reason, str(error)))
                return
            fetched = walk.window
            del left[0]
            if walk.exhausted:
                # Nothing is older, so the older pieces need not be asked for.
                older = [window for window in left if window.end < fetched.start]
                fetched = coverage.hull([fetched, *older])
                left[:] = [window for window in left if window not in older]
            if walk.bad:
                spoiled.append(walk)
            self._report(_part(walk, fetched, last=not left and not spoiled))
            if left:
                walk = Walk(task, left[0])
        if spoiled:
            self._report(_spoiled(task, spoiled))

    def _fetch(self, walk: Walk) -> None:
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

    def _page(self, walk: Walk) -> Page:
        """取下一页;空的或有坏数据的页,换一个 Token 再问一次。"""
        ask = partial(self._caller.ask, partial(self._call, walk))
        page = ask()
        expected = walk.begun or walk.task.covered
        if page.bad or (page.oldest_ms is None and expected):
            page = _together(page, ask())
        return page

    def _call(self, walk: Walk, meter: Meter) -> Page:
        request = walk.request()
        page = self.client.fetch(meter.token, request)
        walk.check(page, request)
        return page


def _together(first: Page, second: Page) -> Page:
    """问了两次的一页:第一次里好的 K 线,第二次里是坏的也算数。"""
    both = {kline.time: kline for kline in (*first.klines, *second.klines)}
    return replace(second, klines=[both[time] for time in sorted(both)])


def _spoiled(task: Task, walks: list[Walk]) -> Failure:
    bad = [bar.text for walk in walks for bar in walk.bad]
    window = coverage.hull([walk.window for walk in walks])
    text = f"bars left out: {len(bad)}, the first: {bad[0]}"
    return Failure(task, window, BadAnswer.reason, text)


def _part(walk: Walk, fetched: Window, *, last: bool) -> Part:
    task = walk.task
    covered = coverage.settled(
        fetched, newest=walk.newest(), final=task.final, period=task.period
    )
    return Part(task, walk.klines(), covered, last, len(walk.bad))
