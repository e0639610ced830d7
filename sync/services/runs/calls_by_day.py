"""一次同步的请求分到哪几天:每天的次数、每分钟的次数和网络,哪个先到头算哪个。

A plan and no promise: as if nobody else used the tokens, and every call took
CALL_SECONDS. It follows the run: market by market, each with the tokens that serve it;
what a day's quota leaves over waits for the next.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial

from sync.engine.pacing import SPAN

# A call to the provider, answer included; what a run measures is usually less.
CALL_SECONDS = 0.3
# Nobody plans further; what is not done by then has no end that could be told.
MOST_DAYS = 1000


@dataclass(frozen=True, slots=True)
class Source:
    """预演眼里的一个 Token:能用于哪些市场,今天还剩几次,以后每天、每分钟几次。

    `left` and `daily` are None where there is no daily limit, `minute` is 0 where there
    is none a minute.
    """

    markets: Collection[str]
    left: int | None
    daily: int | None
    minute: int


@dataclass(frozen=True, slots=True)
class DayOfCalls:
    """一天里做的请求数。"""

    day: date
    calls: int


@dataclass(slots=True)
class Plan:
    """请求分到哪几天,什么时候做完。

    `ends_at` is None where there is nothing to do, or no end within MOST_DAYS.
    """

    days: list[DayOfCalls] = field(default_factory=list)
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """一个市场要的请求数,和做它的通道数。"""

    market: str
    calls: int
    lanes: int


def by_day(
    needs: Sequence[Need],
    tokens: Sequence[Source],
    *,
    begins_at: datetime,
    next_day_at: Callable[[datetime], datetime],
    day_of: Callable[[datetime], date],
) -> Plan:
    """把请求分到一天天里去,给出什么时候做完。

    `next_day_at` tells when the quota's day that holds a moment is over, `day_of` which
    it is.
    """
    plan, at = Plan(), begins_at
    missing = {need.market: need.calls for need in needs}
    lefts = [token.left for token in tokens]
    while any(missing.values()) and len(plan.days) < MOST_DAYS:
        until = next_day_at(at)
        today = Day(tokens, lefts, seconds=(until - at).total_seconds())
        for need in needs:
            missing[need.market] -= today.work(need, missing[need.market])
        plan.days.append(DayOfCalls(day_of(at), today.calls))
        plan.ends_at = at + timedelta(seconds=today.spent)
        at, lefts = until, [token.daily for token in tokens]
    if any(missing.values()):
        plan.ends_at = None
    return plan


class Day:
    """配额的一天:Token 还剩几次,还有多少秒。"""

    def __init__(
        self, tokens: Sequence[Source], lefts: Sequence[int | None], *, seconds: float
    ) -> None:
        self.calls = 0
        self.spent = 0.0  # seconds
        self._tokens = tokens
        self._lefts = list(lefts)
        self._seconds = seconds

    def work(self, need: Need, wanted: int) -> int:
        """在余下的时间里做一个市场,返回做了几次。"""
        seconds = self._seconds - self.spent
        minutes = int(seconds // SPAN)
        possible = partial(self._possible, need.market, wanted)
        by_network = int(seconds * need.lanes / CALL_SECONDS)
        calls = min(wanted, sum(possible(minutes)), by_network)
        enough = bisect_left(range(minutes), calls, key=lambda n: sum(possible(n)))
        self._take(calls, possible(enough))
        self.spent += max(enough * SPAN, calls * CALL_SECONDS / need.lanes)
        self.calls += calls
        return calls

    def _possible(self, market: str, wanted: int, minutes: int) -> list[int]:
        """每个 Token 在这么多分钟里做得了几次;一分钟的次数在它开头就能用。"""
        return [
            min(
                wanted if left is None else min(left, wanted),
                token.minute * (minutes + 1) if token.minute else wanted,
            )
            if market in token.markets
            else 0
            for token, left in zip(self._tokens, self._lefts, strict=True)
        ]

    def _take(self, calls: int, shares: Sequence[int]) -> None:
        for number, share in enumerate(shares):
            taken = min(share, calls)
            calls -= taken
            left = self._lefts[number]
            self._lefts[number] = None if left is None else left - taken
