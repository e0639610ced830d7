"""Token 的套餐看得到多久以前:从它的回答里学,再决定值不值得问它。

No provider says how far back a plan sees. A key that has come to the end of its plan
answers as if history began there, which looks like a stock listed on that day. So:

- What a key has shown is certain. Where it showed nothing older it has *stopped*, and
  its word that nothing is there counts as far as it is known to see, no further.
- How far that is has two measures, because plans may end at a date or after a number
  of bars, and a stock that was suspended has fewer: its word is taken where it has
  shown more bars of another stock, and back to the oldest day that it has shown.
- A key that has stopped without proof for three stocks is *limited*, and is not asked
  beyond that place again: until it shows more, a month has passed, or its plan is said
  to have changed. Now and then it may be asked once, for nobody may have said so.

Everything here is a value or a rule about values; `Depths` keeps those of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import Enum, auto
from threading import Lock

STOPS = 3  # stocks that ended alike without proof: the key's end rather than theirs
SLACK = 5  # bars by which two stocks' counts may differ for no reason
NEAR = timedelta(days=7)
ONE_DAY = timedelta(days=1)
# No exchange keeps a stock listed that has not traded for so long.
SILENT = timedelta(days=730)
DAY = 86_400.0
MONTH = 30 * DAY


@dataclass(frozen=True, slots=True)
class Place:
    """一只股票历史里的一个位置:`day` 以前,从最新的数起第 `bars` 根以前。

    Bars that were not counted are estimated from the calendar, and the number may be
    off by `doubt`. `partial`: of the day before there are some already, as in minutes.
    """

    day: date
    bars: int
    doubt: int = 0
    partial: bool = False

    @property
    def exact(self) -> bool:
        """根数是数出来的。"""
        return self.doubt <= SLACK

    @property
    def slack(self) -> int:
        """和别的股票相比,根数会差多少。"""
        return SLACK + self.doubt


@dataclass(frozen=True, slots=True)
class Unreached:
    """一只股票从 `wanted` 到 `place` 的历史没有够到:`asked` 这些 Token 都没有。

    It may have been listed there, or their plans end there: nothing proves the one or
    the other.
    """

    place: Place
    wanted: date
    asked: frozenset[int] = frozenset()

    def from_day(self, day: date) -> Unreached:
        """还没有够到的是这一天以前的;更新的 K 线还是那么多根。"""
        return replace(self, place=replace(self.place, day=day))


class Prospect(Enum):
    """没有够到的历史,现在有没有希望够到。"""

    NONE = auto()
    MAYBE = auto()  # some token may see further
    GOOD = auto()  # some token is known to see further


@dataclass(frozen=True, slots=True)
class Depth:
    """一个 Token 在一种周期上看得到多久以前。

    It has shown a bar of the day `reach`, as of the day `on`, and `bars` bars of one
    stock. In `stops` stocks, the first of them at `since` and the last at `asked` (both
    epoch seconds), it had nothing beyond `end` bars.
    """

    reach: date | None = None
    bars: int = 0
    end: int = 0
    stops: int = 0
    since: float = 0.0
    asked: float = 0.0
    on: date = date.min

    @property
    def limited(self) -> bool:
        """是不是看不到更早的了。"""
        return self.stops >= STOPS

    def sees_to(self, at: float) -> date | None:
        """到 `at` 为止还看得到的最早一天:有限的套餐,这一天会随着时间后移。"""
        if self.reach is None or not self.limited:
            return self.reach
        return self.reach + max(timedelta(0), day_of(at) - self.on)

    def seen(self, place: Place, *, at: float) -> Depth:
        """给出过这个位置上的一根 K 线。"""
        reach = self.sees_to(at)
        beyond = self._is_beyond(place, reach)
        return replace(
            self if not beyond else replace(self, stops=0, end=0, since=0.0),
            reach=min(place.day, reach or place.day),
            # What is only estimated is no news, unless its day is.
            bars=max(self.bars, place.bars) if place.exact or beyond else self.bars,
            on=day_of(at),
        )

    def stopped(self, place: Place, *, at: float) -> Depth:
        """在这个位置以前什么也没有给,也没有证明股票的历史从那里开始。"""
        reach = self.sees_to(at)
        return replace(
            self,
            reach=reach or place.day,
            end=max(self.bars, min(self.end or place.bars, place.bars)),
            stops=self.stops + 1,
            since=self.since if self.stops else at,
            asked=at,
            on=day_of(at),
        )

    def contradicted(self, place: Place) -> Depth:
        """它在这个位置说到头了,可是别的 Token 还有更旧的。"""
        if self.proves(place):
            return self
        return replace(
            self,
            stops=max(self.stops, STOPS),
            end=self.end or max(self.bars, place.bars),
        )

    def proves(self, place: Place) -> bool:
        """它说这里以前没有了,能不能信:别的股票,它给出过更多。"""
        return place.bars + place.slack < self.bars

    def word(self, place: Place, *, at: float) -> date:
        """它说这里以前没有了,返回能信到哪一天;全信就是 date.min。"""
        reach = self.sees_to(at)
        if reach is None or not self.proves(place):
            return place.day
        return date.min if reach < place.day - SILENT else min(place.day, reach)

    def shows(self, place: Place) -> bool:
        """这个位置上的一根,它一定看得到:它给出过那么多根。"""
        return self.bars >= place.bars + (0 if place.exact else place.slack)

    def knows_more(self, place: Place, *, at: float) -> bool:
        """是不是已经知道它看得到这个位置以前。"""
        reach = self.sees_to(at)
        return bool(reach and reach < place.day and self.proves(place))

    def ends_by(self, place: Place, *, at: float) -> bool:
        """问它这个位置以前的是不是白问。"""
        if not self.limited:
            return False
        if place.exact:
            return place.bars >= self.end - place.slack
        reach = self.sees_to(at)
        # The rest of a day that has been had in part it may see still.
        return reach is not None and place.day <= reach - place.partial * ONE_DAY

    def as_of(self, at: float) -> Depth:
        """过了一个月,它看不到的要重新问过。"""
        return replace(self, stops=0) if at - self.asked > MONTH else self

    def due(self, at: float) -> bool:
        """该不该再试一次:也许套餐已经换了,没有人说。

        At once the first time, then after a quarter of the time for which it has been
        so, at most a day.
        """
        so_far = self.asked - self.since
        return self.limited and at >= self.asked + min(DAY, so_far / 4)

    def _is_beyond(self, place: Place, reach: date | None) -> bool:
        if not self.stops:
            return self.reach is None or place.exact or place.day < (reach or place.day)
        if place.exact:
            return place.bars > self.end + place.slack
        return reach is not None and place.day < reach - NEAR


UNKNOWN = Depth()


class Depths:
    """一次运行的全部 Token 看得到多久以前;每条通道都可以调用。

    `known` is by token and period, `alive` tells who has not left the run. One that is
    due may be asked once more beyond its end in this run.
    """

    def __init__(
        self,
        known: Mapping[int, Mapping[str, Depth]],
        *,
        at: float,
        alive: Callable[[], Iterable[int]] | None = None,
        due: bool = True,
    ) -> None:
        self._known = {
            (token, period): depth.as_of(at)
            for token, periods in known.items()
            for period, depth in periods.items()
        }
        self._due = {key for key, one in self._known.items() if due and one.due(at)}
        self._alive = alive or (lambda: known)
        self._changed: set[int] = set()
        self._lock = Lock()

    def add(self, token: int, periods: Mapping[str, Depth], *, at: float) -> None:
        """半路上又来了一个 Token。"""
        with self._lock:
            for period, depth in periods.items():
                key = token, period
                self._known[key] = depth.as_of(at)
                if self._known[key].due(at):
                    self._due.add(key)

    def of(self, token: int, period: str) -> Depth:
        """一个 Token 在一种周期上的。"""
        with self._lock:
            return self._known.get((token, period), UNKNOWN)

    def seen(self, token: int, period: str, place: Place, *, at: float) -> None:
        """它给出了这个位置上的一根 K 线。"""
        with self._lock:
            before = self._known.get((token, period), UNKNOWN)
            self._put(token, period, before.seen(place, at=at))

    def word(self, token: int, period: str, place: Place, *, at: float) -> date:
        """它说这个位置以前什么也没有,返回它的话可以信到哪一天为止。"""
        with self._lock:
            self._due.discard((token, period))
            depth = self._known.get((token, period), UNKNOWN)
            return depth.word(place, at=at)

    def stopped(
        self, tokens: Iterable[int], period: str, place: Place, *, at: float
    ) -> None:
        """它们在这个位置以前什么也没有,也没有别的 Token 作证。"""
        with self._lock:
            for token in tokens:
                before = self._known.get((token, period), UNKNOWN)
                if not before.proves(place):
                    self._put(token, period, before.stopped(place, at=at))

    def contradicted(self, tokens: Iterable[int], period: str, place: Place) -> None:
        """它们在这个位置说到头了,可是还有更旧的。"""
        with self._lock:
            for token in tokens:
                before = self._known.get((token, period), UNKNOWN)
                self._put(token, period, before.contradicted(place))

    def worth_asking(
        self, period: str, place: Place, *, asked: Collection[int], at: float
    ) -> frozenset[int]:
        """找出值得问这个位置以前的 Token。

        Once some that were asked had nothing, those that are known to see more come
        before those that may. Before that all of them share the work.
        """
        if asked:
            # Somebody has ended in the middle of that day: the others end there too.
            place = replace(place, partial=False)
        with self._lock:
            spent = {n for n in asked if (n, period) not in self._due}
            left = set(self._alive()) - spent
            depths = {n: self._known.get((n, period), UNKNOWN) for n in left}
            if asked and (
                knowing := {n for n in left if depths[n].knows_more(place, at=at)}
            ):
                return frozenset(knowing)
            return frozenset(
                n
                for n in left
                if (n, period) in self._due or not depths[n].ends_by(place, at=at)
            )

    def prospect(self, unreached: Unreached, period: str, *, at: float) -> Prospect:
        """有没有 Token 值得再问一次这段没有够到的历史。"""
        place = unreached.place
        worth = self.worth_asking(period, place, asked=unreached.asked, at=at)
        if any(self.of(token, period).knows_more(place, at=at) for token in worth):
            return Prospect.GOOD
        return Prospect.MAYBE if worth else Prospect.NONE

    def believed(self, unreached: Unreached, period: str, *, at: float) -> date:
        """问过的 Token 说没有,现在可以信到哪一天:后来知道了它们看得更远。"""
        words = [
            self.of(token, period).word(unreached.place, at=at)
            for token in unreached.asked
        ]
        return max(unreached.wanted, min(words, default=unreached.place.day))

    def changes(self) -> dict[int, dict[str, Depth]]:
        """取出上次以后有变化的 Token 的全部周期。"""
        with self._lock:
            changed, self._changed = self._changed, set()
            return {
                token: {p: depth for (n, p), depth in self._known.items() if n == token}
                for token in sorted(changed)
            }

    def _put(self, token: int, period: str, depth: Depth) -> None:
        before = self._known.get((token, period), UNKNOWN)
        self._known[token, period] = depth
        # A later day alone is nothing new.
        if replace(depth, on=before.on) != before:
            self._changed.add(token)


def to_json(depths: Mapping[str, Depth]) -> dict[str, dict[str, object]]:
    """写进数据库的样子,按周期。"""
    return {
        period: {
            "reach": depth.reach.isoformat() if depth.reach else None,
            "bars": depth.bars,
            "end": depth.end,
            "stops": depth.stops,
            "since": depth.since,
            "asked": depth.asked,
            "on": depth.on.isoformat(),
        }
        for period, depth in depths.items()
    }


def from_json(stored: Mapping[str, Mapping[str, object]]) -> dict[str, Depth]:
    """读出数据库里的;缺的和多的数字都不要紧。"""
    return {period: _read(row) for period, row in stored.items()}


def _read(row: Mapping[str, object]) -> Depth:
    def number(name: str) -> float:
        value = row.get(name)
        return float(value) if isinstance(value, int | float) else 0.0

    def day(name: str) -> date | None:
        value = row.get(name)
        return date.fromisoformat(value) if isinstance(value, str) else None

    return Depth(
        reach=day("reach"),
        bars=int(number("bars")),
        end=int(number("end")),
        stops=int(number("stops")),
        since=number("since"),
        asked=number("asked"),
        on=day("on") or date.min,
    )


def day_of(at: float) -> date:
    """这一刻是哪一天(UTC)。"""
    return datetime.fromtimestamp(at, UTC).date()
