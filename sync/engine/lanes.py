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
from .caller import LONGEST_WAIT, Asked, Caller, Sent, TokenOut, TokenRests
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
from .ports import (
    Client,
    Clock,
    Failure,
    Page,
    PageRequest,
    Part,
    Reply,
    Task,
    Window,
)
from .sharing import BatchTooLarge, FirstPages
from .turns import Hand, Turn


@dataclass(frozen=True, slots=True)
class LaneEnded:
    """一条通道结束了;`error` 是意外的异常。"""

    number: int
    error: Exception | None = None


Message = Part | Failure | TokenOut | TokenRests | BatchTooLarge | LaneEnded


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
        self._ahead: Turn | None = None
        self._caller = Caller(
            meters, breaker=breaker, report=report, stop=stop, clock=clock, dice=dice
        )

    @property
    def meters(self) -> deque[Meter]:
        """这条通道的 Token。"""
        return self._caller.meters

    @property
    def batch(self) -> int:
        """它的 Token 一次最多能问几只股票。"""
        return max((meter.batch for meter in self.meters), default=1)

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
            # Of no use to anybody any more: what was asked ahead of a stop.
            self.client.abort()
            self._caller.abandon()
            self.client.close()
        except Exception as unexpected:  # noqa: BLE001 - outermost frame of a lane
            return unexpected
        return None

    def _work(self) -> bool:
        """做一轮;该结束时返回 False。

        While its answer is being read, the next round's is under way.
        """
        turn, self._ahead = self._ahead, None
        try:
            if self._deck.idle():
                return False
            if turn := turn or self._next_turn():
                self._caller.receive(turn.asked)
                self._ahead = self._turn_ahead(turn.asked.meter)
                self._serve(turn)
        except NoToken:
            self._put_back(turn)
            return self._ahead is not None
        except (Cancelled, ProviderDown):
            self._put_back(self._ahead)
            self._put_back(turn)
            return False
        return True

    def _next_turn(self) -> Turn | None:
        """下一轮;没有 Token 或者没有任务就等一会儿,返回 None。

        A token first: what waits for one had better wait where others can take it.
        """
        meter = self._caller.ready()
        if meter is None:
            return None
        tasks = self._deck.take(self.number, most=meter.batch)
        if not tasks:
            self._deck.wait(LONGEST_WAIT)
        return self._begin(tasks, meter)

    def _turn_ahead(self, unread: Meter) -> Turn | None:
        """再下一轮;现在就能用另一个 Token 开始的话。

        Not the token of the answer that has not been read: it may say that it is out.
        """
        meter = self._caller.spare(unread)
        if meter is None:
            return None
        return self._begin(self._deck.take_own(self.number, most=meter.batch), meter)

    def _begin(self, tasks: list[Task], meter: Meter) -> Turn | None:
        hands = [Hand(task) for task in tasks]
        walks = [hand.walk for hand in hands]
        if not walks:
            return None
        if len(walks) == 1:
            alone = self._caller.send(partial(self._send, walks[0]), meter)
            return Turn(hands, alone=alone)
        first = FirstPages(walks, caller=self._caller, client=self.client)
        return Turn(hands, first, together=self._caller.send(first.send, meter))

    def _put_back(self, turn: Turn | None) -> None:
        for hand in reversed(turn.hands if turn else []):
            self._deck.put_back(self.number, hand.rest())

    def _serve(self, turn: Turn) -> None:
        """做完这一轮的几只股票;做完一只拿掉一只。"""
        hands, alone = turn.hands, turn.alone
        if turn.first:
            turn.first.ask(turn.together)
        while hands:
            self.do(hands[0], alone)
            self._deck.finish()
            del hands[0]
        if turn.first:
            for trouble in turn.first.too_large():
                self._report(trouble)

    def do(self, hand: Hand, asked: Asked[Page] | None = None) -> None:
        """取一只股票的全部区间,报告每一段;失败了报告还缺的区间。

        What has been reported is taken out of `left`. Pieces with bars that had to be
        left out are stored, join `spoiled`, and make the stock fail in the end: a bar
        that is missing must not be missing silently. `asked` is the first page's call,
        where it has been made.
        """
        task, left, spoiled = hand.task, hand.left, hand.spoiled
        walk = hand.walk
        while left:
            try:
                self._fetch(walk, asked)
            except (StockFault, Transient) as error:
                missed = [*left, *(walk.window for walk in spoiled)]
                window = coverage.hull(missed)
                self._report(Failure(task, window, error.reason, str(error)))
                return
            asked = None
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

    def _fetch(self, walk: Walk, asked: Asked[Page] | None) -> None:
        while not walk.done:
            page = self._page(walk, asked)
            asked = None
            if page.oldest_ms is not None:
                walk.accept(page)
            elif walk.before_coverage and not walk.begun:
                # The stock is known to trade later, and two answers agree that it did
                # not yet: before the listing, which is no fault.
                walk.end_here()
            else:
                end = walk.window.end
                raise NoData(f"no data up to {end}: the answer was empty")

    def _page(self, walk: Walk, asked: Asked[Page] | None) -> Page:
        """取下一页;空的或有坏数据的页,换一个 Token 再问一次。"""
        send = partial(self._send, walk)
        page = self._caller.ask(send, asked)
        expected = walk.begun or walk.task.covered
        if page.bad or (page.oldest_ms is None and expected):
            page = _together(page, self._caller.ask(send))
        return page

    def _send(self, walk: Walk, meter: Meter) -> Sent[Page]:
        request = walk.request()
        reply = self.client.send(meter.token, [request])
        return Sent(reply, partial(_read, reply, walk, request))


def _read(reply: Reply, walk: Walk, request: PageRequest) -> Page:
    page = reply.pages()[request.code]
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
