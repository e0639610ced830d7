"""服务商什么也没有的股票:失败的区间怎样变长,什么时候算作没有了。

A failure is about a stock from a day on, so the next one of the same stock makes its
window longer. And one answer that there is nothing proves nothing: the provider may be
late, a plan may lack the market. It takes several days that agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from . import coverage, paging
from .errors import NoData, UnknownSymbol
from .ports import Window

# So many trade days have to agree: that a code is unknown which has traded, that one is
# which never has, that there is nothing else.
UNKNOWN_DAYS, NEVER_DAYS, SILENT_DAYS = 3, 10, 5
# So long there has been no bar before an answer with older ones says anything at all,
# and so long one that has never traded may be about to.
OLD = timedelta(days=30)
# Without a bar, but named by the provider's list: a long suspension, perhaps.
OLDEST = timedelta(days=90)
# Empty answers that a day's word is believed of: these few, or a tenth of the market.
FEW, TENTH = 3, 10


class Nothing(StrEnum):
    """服务商怎样说没有。"""

    UNKNOWN = UnknownSymbol.reason  # it does not know the code
    EMPTY = NoData.reason  # an empty answer
    OLD = "old_bars"  # bars, but none for long


@dataclass(frozen=True, slots=True)
class Silence:
    """一只股票一种周期里,服务商接连说没有。

    `answers` trade days (weeks, months) agree, from `since` to `day`; of old bars
    `since` is the newest one's date. `traded` tells that bars of it are stored,
    `listed` that the provider's list names it, as far as is known.
    """

    kind: Nothing
    answers: int
    since: date
    day: date
    traded: bool
    listed: bool

    @property
    def lasts(self) -> timedelta:
        """返回有多久没有了。"""
        return self.day - self.since


def is_gone(said: Silence) -> bool:
    """判断服务商是不是不再有这只股票了。

    See docs/decisions/gone-stocks.md for why these numbers.
    """
    match said.kind:
        case Nothing.UNKNOWN:
            return said.answers >= (UNKNOWN_DAYS if said.traded else NEVER_DAYS)
        case Nothing.EMPTY:
            enough = said.traded or said.lasts >= OLD
        case Nothing.OLD:
            enough = not said.listed or said.lasts >= OLDEST
    return enough and said.answers >= SILENT_DAYS


def is_believed(kind: Nothing, *, silent: int, fresh: int) -> bool:
    """判断一天里的回答算不算数:`fresh` 只股票这天取到了,`silent` 只是空的。

    Nothing counts on a day on which nobody of the market had a bar. Many empty answers
    are a plan that lacks the market rather than stocks; of codes that are unknown, and
    of old bars, the provider says so itself.
    """
    if not fresh:
        return False
    few = silent <= min(FEW, fresh)
    return kind is not Nothing.EMPTY or few or silent * TENTH <= fresh


def day_of(final: date, period: str) -> date:
    """一个回答算在哪一天:最近一个完整的周、月或工作日。"""
    day = coverage.last_whole(final, period)
    while period not in {"week", "month"} and day.weekday() >= coverage.SATURDAY:
        day -= coverage.DAY
    return day


def reaches_now(window: Window, final: date) -> bool:
    """判断问的是不是到现在为止;问很久以前的,没有也说明不了什么。"""
    return window.end >= final - coverage.GRACE


def grown(row: Window, more: Window, period: str) -> Window | None:
    """把失败的区间变长;中间隔得太远、合起来要多问几次的,返回 None。"""
    gap = Window(min(row.end, more.end) + coverage.DAY, max(row.start, more.start))
    if gap.start < gap.end and paging.pages(gap, period) > 1:
        return None
    return coverage.hull([row, more])


def joined(row: Window, more: Window, _period: str) -> Window | None:
    """把重叠或者相接的区间合成一个;不相接就返回 None。"""
    apart = max(row.start, more.start) - min(row.end, more.end)
    return coverage.hull([row, more]) if apart <= coverage.DAY else None
