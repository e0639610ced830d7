"""从后往前翻页,直到区间的起点。

The provider has no start parameter, may return fewer bars than asked for and does not
say whether the end counts. So each page but the first ends half an interval after the
oldest bar we have: that bar comes again, whichever way the end counts and however it
is rounded, and no newer one does. A page that brings nothing older says that this token
has nothing older, which is not to say that there is nothing (`depth.py`); an empty page
is never an answer, always a question.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from heapq import nlargest
from operator import attrgetter

from . import markets
from .coverage import DAY, SATURDAY, is_whole, widen
from .depth import Place
from .errors import BadAnswer
from .periods import PERIODS
from .ports import BadBar, Kline, Page, PageRequest, Task, Window

# What the provider answers at most, by its documentation. Fewer prove nothing.
PAGE_SIZE = 500
# Bars to ask for beyond the window, so that one page shows a bar before its start.
SLACK = 12
# The calendar's time from one bar to the next, at most.
NEXT = {"day": timedelta(days=2), "week": timedelta(7), "month": timedelta(31)}
# The share of a day in which an exchange trades, about.
SESSION = 0.27
_TIME = attrgetter("time")


def most_bars(days: float, period: str) -> int:
    """估计这么多天里最多会有多少根:只多不少,否则要多翻一页。"""
    kind = PERIODS[period]
    weekdays = days * 5 / 7 + 2
    if kind.intraday:
        return int(weekdays * (DAY / kind.interval))
    return int(min(weekdays, days / (kind.interval / DAY) + 2))


def pages(window: Window, period: str) -> int:
    """估计要翻多少页,按服务商每页不少给来算。"""
    kind = PERIODS[period]
    if kind.intraday:
        bars = weekdays(window) * (DAY / kind.interval) * SESSION
    else:
        bars = most_bars(days(window), period)
    # Each page repeats a bar of the one before, the last shows one before the window.
    return max(1, math.ceil(bars / (PAGE_SIZE - 1)))


def limit(window: Window, period: str) -> int:
    """算出一页要问多少根,才看得到区间以前的一根。"""
    return min(PAGE_SIZE, most_bars(days(window), period) + SLACK)


def estimated(window: Window, period: str) -> tuple[int, int]:
    """估计区间里有多少根,以及可能差多少。"""
    kind = PERIODS[period]
    if kind.intraday:
        # Sessions differ: from 4 hours to 16 with what is traded before and after.
        bars = int(weekdays(window) * (DAY / kind.interval) * SESSION)
        return bars, bars
    # Holidays are about one weekday in twenty.
    bars = int(min(weekdays(window) * 0.95, days(window) / (kind.interval / DAY)))
    return bars, bars // 10


def days(window: Window) -> int:
    """数出区间有多少天,含首尾。"""
    return (window.end - window.start) // DAY + 1


def weekdays(window: Window) -> int:
    """数出区间里有多少个周一到周五。"""
    weeks, rest = divmod(days(window), 7)
    first = window.start.weekday()
    return weeks * 5 + sum((first + n) % 7 < SATURDAY for n in range(rest))


def _asked(window: Window, task: Task) -> Window:
    """要问的区间:在已有范围以前的,多问范围开头的几根,好和存下的比较。

    Where that costs no page. Minutes would cost a whole session, and of history that
    was not reached a bar that came would not be news.
    """
    covered, kind = task.covered, PERIODS[task.period]
    if covered is None or window.end >= covered.start:
        return window
    if kind.intraday or task.unreached:
        return window
    more = Window(
        window.start, min(covered.end, window.end + SLACK * NEXT[task.period])
    )
    free = pages(more, task.period) == pages(window, task.period)
    return more if free and more.end > window.end else window


class Walk:
    """一只股票一个区间的翻页。

    `asked` is what is asked for: the window, and where it ends before what is stored
    some bars of that. `top` is where it begins in the stock's history; by default at
    its newest bar.
    """

    def __init__(self, task: Task, window: Window, top: Place | None = None) -> None:
        self.task = task
        self.window = widen(window, task.period)
        self.asked = _asked(self.window, task)
        self._bad: dict[datetime | str, BadBar] = {}
        self._since, self._until = markets.bounds(
            self.window, market=task.market, period=task.period
        )
        self._klines: dict[datetime, Kline] = {}
        self._overlap: dict[datetime, Kline] = {}
        self._idle: set[datetime] = set()
        self._end_ms = markets.end_stamp(self.asked.end, market=task.market)
        self._oldest_ms: int | None = None
        self._oldest: datetime | None = None  # of the bars that can be read
        self._top = top or Place(self.window.end + DAY, 0)
        self._done = False
        self._exhausted = False

    @property
    def done(self) -> bool:
        """这个区间是不是已经翻到头了。"""
        return self._done

    @property
    def exhausted(self) -> bool:
        """翻到头是不是因为没有更旧的了。"""
        return self._exhausted

    @property
    def begun(self) -> bool:
        """是不是已经取到过一页。"""
        return self._oldest_ms is not None

    def request(self) -> PageRequest:
        """生成下一页的请求。"""
        return PageRequest(
            market=self.task.market,
            code=self.task.code,
            period=self.task.period,
            end_ms=self._end_ms,
            limit=min(PAGE_SIZE, self._expected() + SLACK),
        )

    def check(self, page: Page, request: PageRequest) -> None:
        """比所问的还要新的一页说明不了什么:抛出 BadAnswer。

        A provider that ignores the end would repeat its newest page, and that must not
        pass for the end of history. One interval is forgiven, for ends rounded up.
        """
        period = PERIODS[self.task.period]
        end_ms = request.end_ms
        asked = max(self._bar_time(end_ms), self._bar_time(end_ms - 1))
        newest = max(_times_of(page), default=asked)
        if newest > asked + period.interval:
            raise BadAnswer(
                f"bars newer than {asked:%Y-%m-%d %H:%M} were not asked for"
            )

    @property
    def place(self) -> Place:
        """翻到了这只股票历史里的什么位置。"""
        if self._oldest is None:
            return self._top
        day = markets.trade_date(
            self._oldest, market=self.task.market, period=self.task.period
        )
        bars = self._top.bars + len(self._told())
        if PERIODS[self.task.period].intraday:
            # There may be earlier minutes of the oldest day.
            return Place(day + DAY, bars, self._top.doubt, partial=True)
        return Place(day, bars, self._top.doubt)

    def accept(self, page: Page) -> bool:
        """收下非空的一页;没有带来更旧的返回 False。"""
        assert page.oldest_ms is not None
        first, last = (
            bisect_left(page.klines, moment, key=_TIME)
            for moment in (self._since, self._until)
        )
        inside = page.klines[first:last]
        self._klines.update(zip(map(_TIME, inside), inside, strict=True))
        for kline in (*page.klines[:first][-SLACK:], *page.klines[last:]):
            self._overlap[kline.time] = kline
        self._idle.update(time for time in page.idle if self._is_inside(time))
        for bar in page.bad:
            self._bad[bar.time or bar.text] = bar
        reached = self._reached(page)
        moved = self._oldest_ms is None or page.oldest_ms < self._oldest_ms
        self._done = reached
        self._oldest_ms = page.oldest_ms
        older = [self._oldest] if self._oldest else []
        times = _times_of(page)
        if not (page.klines or page.idle):
            times = [time for time in times if self._is_inside(time)]
        self._oldest = min((*older, *times), default=None)
        half = PERIODS[self.task.period].interval / 2
        self._end_ms = page.oldest_ms + half // timedelta(milliseconds=1)
        return moved or reached

    @property
    def bad(self) -> list[BadBar]:
        """区间里缺掉的坏数据;别的页里有好的就不缺。"""
        return [
            bar
            for bar in self._bad.values()
            if bar.time is None
            or (self._is_inside(bar.time) and bar.time not in self._klines)
        ]

    def _is_inside(self, time: datetime) -> bool:
        return self._since <= time < self._until

    @property
    def before_coverage(self) -> bool:
        """要的日子是不是都在已有范围以前。"""
        covered = self.task.covered
        return covered is not None and self.window.end < covered.start

    def end_here(self) -> None:
        """就此翻到头:没有更旧的了,或者没有 Token 看得到。"""
        self._done = self._exhausted = True

    def klines(self) -> Sequence[Kline]:
        """返回区间里的全部 K 线,旧的在前。"""
        return [self._klines[time] for time in sorted(self._klines)]

    def idle(self) -> list[datetime]:
        """按时间列出区间里服务商说没有交易的时间。"""
        return sorted(self._idle - self._klines.keys())

    def overlap(self) -> Sequence[Kline]:
        """返回区间以外的几根,旧的在前:问的总比要的多一些。"""
        return [self._overlap[time] for time in sorted(self._overlap)]

    def span(self) -> tuple[datetime, datetime] | None:
        """返回服务商有没有 K 线已经清楚的一段:从最旧的一根,不早于区间的起点。"""
        if self._oldest_ms is None:
            return None
        since = max(self._since, self._bar_time(self._oldest_ms))
        return (since, self._until) if since < self._until else None

    def reach(self) -> tuple[datetime, datetime] | None:
        """返回回答首尾两根的时间:服务商在其间的都在回答里;有坏的就说不准。"""
        times = self._klines.keys() | self._overlap.keys()
        return (min(times), max(times)) if times and not self._bad else None

    def newest(self) -> date | None:
        """返回区间里最新一根的交易日;不能用的、服务商说没有交易的也算。

        What was rejected is kept, and asked for once more by a retry: no reason for
        each run to begin there again. A copy of the bar before it does not count: so a
        suspended stock may look on the day itself, and the next day that bar is gone.
        Of minutes, the newest day that is whole.
        """
        known = self._told()
        if copy := self._copy():
            known.discard(copy)
        day = self._newest_day(known)
        closings, period = self.task.closings, self.task.period
        if day is None or closings is None:
            return day
        until = max(known) + PERIODS[period].interval
        if is_whole(day, until=until, closings=closings):
            return day
        begin, _end = markets.bounds(
            Window(day, day), market=self.task.market, period=period
        )
        return self._newest_day([time for time in known if time < begin])

    def _told(self) -> set[datetime]:
        """区间里服务商说过什么的时间:一根好的、一根坏的,或者没有交易。"""
        bad = {bar.time for bar in self._bad.values() if bar.time}
        return {*self._klines, *self._idle, *filter(self._is_inside, bad)}

    def _newest_day(self, times: Collection[datetime]) -> date | None:
        if not times:
            return None
        return markets.trade_date(
            max(times), market=self.task.market, period=self.task.period
        )

    def _copy(self) -> datetime | None:
        """最新一根和它前面一根的值全都一样时,它的时间。"""
        bars = self._klines | self._overlap
        if PERIODS[self.task.period].intraday or len(bars) < 2:  # noqa: PLR2004
            return None
        before, newest = (bars[time] for time in nlargest(2, bars)[::-1])
        same = before[1:] == newest[1:] and newest.volume > 0
        return newest.time if same else None

    def _reached(self, page: Page) -> bool:
        # A bad bar's own stamp counts only where there is nothing better.
        assert page.oldest_ms is not None
        sound = [page.klines[0].time] if page.klines else []
        oldest = min([*sound, *page.idle], default=self._bar_time(page.oldest_ms))
        return oldest <= self._since

    def _bar_time(self, stamp_ms: int) -> datetime:
        return markets.bar_time(
            stamp_ms, market=self.task.market, period=self.task.period
        )

    def _expected(self) -> int:
        until = self._until + (self.asked.end - self.window.end)
        if self._oldest_ms is not None:
            until = min(until, self._bar_time(self._oldest_ms))
        # A bad bar may lie far before the window.
        days = max(0.0, (until - self._since) / DAY)
        return most_bars(days, self.task.period)


def _times_of(page: Page) -> list[datetime]:
    """一页最旧和最新的时间,以及没有交易的;只有坏的才看坏的,它们的也许不对。"""
    ends = {kline.time for kline in (*page.klines[:1], *page.klines[-1:])}
    return [*ends, *page.idle] or [bar.time for bar in page.bad if bar.time]
