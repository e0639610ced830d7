"""几个持有者怎样分 Token:只有值和算术。

Whoever wants tokens of a market is a contender: it holds some, or waits. Each gets what
it can use, and at most an equal share of what there is. Where there are fewer tokens
than contenders they take turns: who has made few calls so far goes first, for it will
soon be done; the others have a token for TURN each, in the order in which they came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# Who has made fewer calls than that is about to be done, for all that is known.
FEW_CALLS = 50
TURN = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Contender:
    """想要一个市场的 Token 的一方。

    `since` is when it got the oldest of those it holds, or when it began to wait.
    """

    owner: str
    held: int
    wanted: int
    calls: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Balance:
    """一方该让出几个,可以拿几个。"""

    give: int = 0
    take: int = 0


def balance(
    owner: str, contenders: Sequence[Contender], *, free: int, at: datetime
) -> Balance:
    """算出一方该让出几个、可以从空闲的里面拿几个。

    It lets go of no more than others lack beyond what is free already.
    """
    shares = fair_shares(contenders, free=free, at=at)
    mine = next(each for each in contenders if each.owner == owner)
    lacking = sum(
        max(0, shares[each.owner] - each.held)
        for each in contenders
        if each is not mine
    )
    spare = mine.held - shares[owner]
    return Balance(
        give=max(0, min(spare, lacking - free)), take=max(0, min(free, -spare))
    )


def fair_shares(
    contenders: Sequence[Contender], *, free: int, at: datetime
) -> dict[str, int]:
    """算出每一方该有几个:够用为止,不多于平均的一份;多出来的再分。"""
    left = free + sum(each.held for each in contenders)
    scarce = left < len(contenders)
    shares = {each.owner: 0 for each in contenders}
    hungry = sorted(contenders, key=lambda each: _place(each, scarce=scarce, at=at))
    while left and hungry:
        portion = max(1, left // len(hungry))
        for each in hungry:
            more = min(portion, each.wanted - shares[each.owner], left)
            shares[each.owner] += more
            left -= more
        hungry = [each for each in hungry if shares[each.owner] < each.wanted]
    return shares


def _place(each: Contender, *, scarce: bool, at: datetime) -> tuple[int, datetime, str]:
    """排在第几;`scarce` 时轮流,否则先来后到。"""
    rank = 0
    if scarce and each.calls >= FEW_CALLS:
        over = each.since + TURN <= at
        rank = 2 if not each.held else 3 if over else 1
    return rank, each.since, each.owner
