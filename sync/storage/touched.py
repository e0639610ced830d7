"""一次运行写过哪些日子:以前核对的结果不再作数,到结束时重新数。"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from operator import attrgetter

from ..engine.markets import trade_date, unit_start
from ..engine.ports import Part, Task, Window
from ..models import MarketDay

# Days of a window that brought no bars count as written to in short ones: those that a
# retry asked for, or a top-up. In long ones they are years before a listing.
SHORT = timedelta(days=10)
DAY = timedelta(days=1)
_TIME = attrgetter("time")
Key = tuple[str, str]
Times = dict[Key, set[datetime]]
Windows = set[tuple[Key, Window]]


class Touched:
    """写过的日子,按市场和周期。

    Used by one thread. Sets of times rather than dates, for millions of bars have few:
    to look one up costs less than a twentieth of storing it.
    """

    def __init__(self) -> None:
        self._times: Times = {}
        self._windows: Windows = set()
        self._days: dict[Key, set[date]] = {}
        self._begun: tuple[dict[Key, set[datetime]], set[tuple[Key, Window]]] = (
            {},
            set(),
        )
        self._new: dict[Key, set[date]] = {}

    def begin(
        self,
        parts: Sequence[Part],
        besides: Sequence[tuple[Task, Sequence[datetime]]] = (),
    ) -> dict[Key, set[date]]:
        """返回这几段里、和 `besides` 里头一次写的日子;提交以前不算写过。"""
        times_of, windows = self._begun = _times(parts), _windows(parts)
        for task, times in besides:
            times_of.setdefault((task.market, task.period), set()).update(times)
        new: dict[Key, set[date]] = {}
        for key, seen in times_of.items():
            unseen = seen - self._times.get(key, set())
            new.setdefault(key, set()).update(_dates(unseen, key))
        for key, window in windows - self._windows:
            new.setdefault(key, set()).update(_days(window, key))
        fresh = {key: days - self._days.get(key, set()) for key, days in new.items()}
        self._new = {key: days for key, days in fresh.items() if days}
        return self._new

    def committed(self) -> None:
        """记住写好了的。"""
        for key, days in self._new.items():
            self._days.setdefault(key, set()).update(days)
        times_of, windows = self._begun
        for key, times in times_of.items():
            self._times.setdefault(key, set()).update(times)
        self._windows |= windows
        self._begun, self._new = ({}, set()), {}

    def days(self) -> Mapping[Key, Sequence[date]]:
        """列出写过的日子,旧的在前。"""
        return {key: sorted(days) for key, days in self._days.items()}


def mark(new: Mapping[Key, Iterable[date]], *, at: datetime) -> None:
    """把这些日子核对的结果作废,在写 K 线的事务里。"""
    for (market, period), days in sorted(new.items()):
        MarketDay.objects.touch(market, period, sorted(days), at=at)


def _times(parts: Iterable[Part]) -> Times:
    found: Times = {}
    for part in parts:
        found.setdefault(_key(part), set()).update(map(_TIME, part.klines))
    return found


def _windows(parts: Iterable[Part]) -> Windows:
    return {(_key(part), window) for part in parts for window in part.task.windows}


def _key(part: Part) -> Key:
    return part.task.market, part.task.period


def _dates(times: Iterable[datetime], key: Key) -> set[date]:
    market, period = key
    return {trade_date(time, market=market, period=period) for time in times}


def _days(window: Window, key: Key) -> set[date]:
    if window.end - window.start > SHORT:
        return set()
    length = (window.end - window.start) // DAY + 1
    return {unit_start(window.start + n * DAY, key[1]) for n in range(length)}
