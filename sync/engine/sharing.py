"""几只股票共用一次请求:谁和谁可以一起问,怎么问,问不了这么多怎么办。

The provider takes one end and one limit for all codes of a call, so the window around
all of them is asked for, and each stock's walk picks its own bars out of its page.
Sharing only saves calls: a stock whose page is missing or too short goes on by
itself as if it had been alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from . import coverage, paging
from .caller import LANE_ENDINGS, Caller, NoneOfThem
from .errors import BadAnswer, RateLimited, SyncError, TooManyStocks
from .messages import BatchTooLarge
from .pacing import RateLimiter
from .paging import Walk
from .ports import Client, Page, PageRequest, Task, Window
from .search import Search

# Bars in one answer: about 2 MB, a quarter of a second of work.
MOST_BARS = 20_000
# What a group may ask for beyond its windows: less work than any call it saves.
MOST_WIDENED = paging.PAGE_SIZE


class Group:
    """可以共用一次请求的任务:同一种周期,各有一个区间,合起来一页装得下。"""

    def __init__(self, first: Task) -> None:
        self.tasks = [first]
        self._window = _single(first)
        self._alone = _limit(self._window, first) if self._window else 0

    @property
    def open(self) -> bool:
        """别的任务是不是还可能加进来。"""
        return self._window is not None

    def join(self, task: Task) -> bool:
        """加进一个任务;合不到一起返回 False。"""
        window = _single(task)
        if not (self._window and window) or task.period != self.tasks[0].period:
            return False
        common = coverage.hull([self._window, window])
        alone = self._alone + _limit(window, task)
        bars = _limit(common, task) * (len(self.tasks) + 1)
        wide = paging.pages(common, task.period) > 1 or bars - alone > MOST_WIDENED
        if wide or bars > MOST_BARS:
            return False
        self.tasks.append(task)
        self._window, self._alone = common, alone
        return True


class Tally:
    """预先数一数要多少次请求:挨着的任务,合得来就算在一次里。"""

    def __init__(self, *, batch: int) -> None:
        self.calls = 0
        self._batch = batch
        self._group: Group | None = None

    def add(self, task: Task) -> None:
        """再数一个任务;没有区间的不算。"""
        group = self._group
        if not task.windows or (
            group and len(group.tasks) < self._batch and group.join(task)
        ):
            return
        self._group = Group(task)
        self.calls += sum(paging.pages(window, task.period) for window in task.windows)


@dataclass(frozen=True, slots=True)
class Together:
    """几只股票一起问的结果:用的 Token、问了谁,有没有一只有回答。"""

    limiter: RateLimiter
    walks: Sequence[Walk]
    answered: bool


class FirstPages:
    """一组股票的第一页,用尽量少的请求去问;问不到的留给单独的请求。

    Used by one lane for one group. An empty answer may mean that these stocks have no
    data, or that they were too many for the token's plan. Where it is not known, the
    call is remembered as a doubt and half as many are asked for; the stocks that are
    then asked for alone tell: data for one of them proves that they were too many.
    """

    def __init__(self, searches: Sequence[Search], *, caller: Caller, client: Client):
        self._searches = {search.walk: search for search in searches}
        self._walks = list(self._searches)
        self._caller = caller
        self._client = client
        self._doubts: list[Together] = []

    def ask(self) -> None:
        """把这组股票问一遍;有回答的翻页都收下第一页。"""
        waiting, most = list(self._walks), len(self._walks)
        if most <= 1:
            return
        # They end on about the same day, so whoever sees the one sees the others.
        among = self._searches[waiting[0]].worth
        while min(len(waiting), most) > 1 and self._caller.batch > 1:
            try:
                call = partial(self._call, waiting[:most])
                found = self._caller.ask(call, among=among)
            except LANE_ENDINGS:
                raise
            except TooManyStocks as error:
                most = error.asked // 2
                continue
            except (SyncError, NoneOfThem):
                return  # each of them is asked for by itself
            if found.answered or len(found.walks) == 1:
                del waiting[: len(found.walks)]
            elif found.limiter.proven >= len(found.walks):
                # This token has had answers for as many: the stocks have no data.
                return
            else:
                self._doubts.append(found)
                most = len(found.walks) // 2

    def too_large(self) -> Iterator[BatchTooLarge]:
        """找出问得太多的那些次:一只也没有回答,后来却有数据。"""
        for doubt in self._doubts:
            if any(walk.begun for walk in doubt.walks):
                limiter, asked = doubt.limiter, len(doubt.walks)
                limiter.shrink(asked // 2)
                yield BatchTooLarge(limiter.token, asked, limiter.batch, empty=True)

    def _call(self, walks: Sequence[Walk], limiter: RateLimiter) -> Together:
        walks = walks[: limiter.batch]
        asked = requests(walks)
        answer = self._fetched(limiter, asked)
        # One that was asked for alone, by a token that serves one at a time, may be
        # empty.
        pages = {code: page for code, page in answer.items() if page.oldest_ms}
        for walk, request in zip(walks, asked, strict=True):
            if (page := pages.get(request.code)) and _take(walk, page, request):
                self._searches[walk].seen(limiter.token.id)
        if pages:
            limiter.proven = max(limiter.proven, len(walks))
        return Together(limiter, walks, bool(pages))

    def _fetched(
        self, limiter: RateLimiter, asked: Sequence[PageRequest]
    ) -> Mapping[str, Page]:
        try:
            return self._client.fetch_many(limiter.token, asked)
        except RateLimited as error:
            if limiter.halve(len(asked), pace=error.pace):
                raise TooManyStocks(str(error), asked=len(asked)) from None
            raise


def requests(walks: Sequence[Walk]) -> list[PageRequest]:
    """列出各自第一页的请求,终点和根数都用包得住全部区间的。"""
    window = coverage.hull([walk.asked for walk in walks])
    limit = _limit(window, walks[0].task)
    own = [walk.request() for walk in walks]
    end_ms = max(request.end_ms for request in own)
    return [replace(request, end_ms=end_ms, limit=limit) for request in own]


def _take(walk: Walk, page: Page, request: PageRequest) -> bool:
    """收下一页;不是所问的不收,留给单独的请求。"""
    try:
        walk.check(page, request)
    except BadAnswer:
        return False
    return walk.accept(page)


def _single(task: Task) -> Window | None:
    """唯一的、一页装得下的区间。"""
    # What is beyond some tokens' sight is asked for by itself.
    if len(task.windows) != 1 or task.unreached:
        return None
    window = coverage.widen(task.windows[0], task.period)
    return window if paging.pages(window, task.period) == 1 else None


def _limit(window: Window, task: Task) -> int:
    return paging.limit(window, task.period)
