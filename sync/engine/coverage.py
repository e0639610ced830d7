"""覆盖范围:哪些日期已经取到而且不会再变,还缺哪些。

Everything here counts in dates at the exchange. For week and month a date range is
widened to whole units first, so that a unit's bar lies inside whichever day of the
unit the provider stamps it with.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta

from .markets import unit_start
from .periods import PERIODS
from .ports import Closings, Window

DAY = timedelta(days=1)
SATURDAY = 5  # of date.weekday()
# A day without a bar counts as covered only after this while: the stock may have been
# suspended, or the provider may be late.
GRACE = timedelta(days=3)
# A day of minutes has a bar so near its close, if it is liquid; auctions end well
# before AFTER_HOURS. Both are shorter than the hour after which a session is over.
NEAR = timedelta(minutes=15)
AFTER_HOURS = timedelta(minutes=30)
# About 20,000 bars of the shortest period: what one stock may hold in memory.
PIECE = timedelta(days=30)


def unit_end(day: date, period: str) -> date:
    """返回所在周或月的最后一天;其他周期就是当天。"""
    if period == "week":
        return day + timedelta(days=6 - day.weekday())
    if period == "month":
        return day.replace(day=calendar.monthrange(day.year, day.month)[1])
    return day


def last_whole(day: date, period: str) -> date:
    """返回到 `day` 为止最后一个完整的周、月或日的末日。"""
    return day if unit_end(day, period) == day else unit_start(day, period) - DAY


def whole_from(day: date, period: str) -> date:
    """从 `day` 起第一个完整单位的首日。"""
    return day if unit_start(day, period) == day else unit_end(day, period) + DAY


def widen(window: Window, period: str) -> Window:
    """把区间扩展到整周或整月。"""
    return Window(unit_start(window.start, period), unit_end(window.end, period))


def missing(wanted: Window, covered: Window | None) -> list[Window]:
    """找出还没有同步的区间。

    At most two windows, oldest first, none overlapping `covered`. A gap between
    `wanted` and `covered` is fetched too, so that coverage stays one piece.
    """
    if covered is None:
        return [wanted]
    before = Window(wanted.start, covered.start - DAY)
    after = Window(covered.end + DAY, wanted.end)
    return [window for window in (before, after) if window.start <= window.end]


def with_last_day(
    windows: Iterable[Window], covered: Window | None, period: str
) -> list[Window]:
    """让接着已有范围的分钟线区间连最后一天一起重取:那天的也许来得晚。

    It costs no call where a page holds both, as it does from 5m on.
    """
    if covered is None or not PERIODS[period].intraday:
        return list(windows)
    return [
        Window(covered.end, window.end) if window.start == covered.end + DAY else window
        for window in windows
    ]


def is_whole(day: date, *, until: datetime, closings: Closings) -> bool:
    """判断一天的分钟线取全了没有;`until` 是最后一根结束的时刻。

    Whole is a day with a bar near its close. Bars from long after it are those of a
    feed with after-hours, which goes on until the day is over.
    """
    close = closings.at.get(day)
    if close is None:
        return True
    if until < close - NEAR:
        return False
    return day <= closings.over or until <= close + AFTER_HOURS


def everything(wanted: Window, covered: Window | None) -> list[Window]:
    """列出整个区间,不管已经有什么都重新取;与覆盖范围之间的空隙也补上。"""
    if covered is None:
        return [wanted]
    again = Window(max(wanted.start, covered.start), min(wanted.end, covered.end))
    overlap = [again] if again.start <= again.end else []
    return sorted(overlap + missing(wanted, covered), key=lambda window: window.start)


def pieces(window: Window, covered: Window | None, period: str) -> Iterator[Window]:
    """把很长的分钟线区间切成几段,每段都接着已有的覆盖范围。

    From the coverage outward, so that each piece can be stored and counted as covered
    by itself; newest first where there is none yet.
    """
    if not PERIODS[period].intraday:
        yield window
        return
    step = PIECE * (PERIODS[period].interval // timedelta(minutes=1))
    forward = covered is not None and window.start > covered.start
    while window.start <= window.end:
        if forward:
            piece = Window(window.start, min(window.end, window.start + step - DAY))
            window = Window(piece.end + DAY, window.end)
        else:
            piece = Window(max(window.start, window.end - step + DAY), window.end)
            window = Window(window.start, piece.start - DAY)
        yield piece


def cut(windows: Sequence[Window], covered: Window | None, period: str) -> list[Window]:
    """把全部区间切成段,按该取的先后排列。

    The newest window first: one that cannot be had, such as years before the listing,
    must not hold up the new days.
    """
    return [
        piece
        for window in reversed(windows)
        for piece in pieces(window, covered, period)
    ]


def remaining(windows: Sequence[Window], left: Sequence[Window]) -> Iterator[Window]:
    """列出各个区间里还没有取到的部分;`left` 是剩下的段。"""
    for window in windows:
        inside = [w for w in left if window.start <= w.start and w.end <= window.end]
        if inside:
            yield hull(inside)


def has_weekday(window: Window) -> bool:
    """判断区间里有没有周一到周五。"""
    days = (window.end - window.start).days + 1
    return any(
        (window.start + DAY * n).weekday() < SATURDAY for n in range(min(days, 3))
    )


def confirmed(
    fetched: Window, *, newest: date | None, final: date, period: str
) -> Window | None:
    """算出取到的区间里有多少可以算作已覆盖。

    `newest` is the trade date of the newest bar in it, `final` the last date whose
    session is over for good. A tail without bars counts only once it is GRACE old. None
    where nothing counts yet.
    """
    end = min(last_whole(fetched.end, period), last_whole(final, period))
    seen = unit_end(newest, period) if newest else date.min
    if seen < end:
        end = min(end, max(seen, last_whole(final - GRACE, period)))
    return Window(fetched.start, end) if end >= fetched.start else None


def join(covered: Window | None, more: Window) -> Window:
    """合并覆盖范围;不相接时保留原来的,少算总比多算好。"""
    if covered is None:
        return more
    if more.start > covered.end + DAY or more.end < covered.start - DAY:
        return covered
    return Window(min(covered.start, more.start), max(covered.end, more.end))


def hull(windows: Sequence[Window]) -> Window:
    """返回包住全部区间的最小区间。"""
    return Window(min(w.start for w in windows), max(w.end for w in windows))
