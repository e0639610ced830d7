"""此刻每条通道在做什么、它的 Token 怎样:给人看的,引擎自己不用。

Times are epoch seconds. Taken by the coordinator's thread while the lanes work: what it
shows may be a moment old.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from .errors import NoToken, QuotaSpent, RestsLong
from .pacing import RateLimiter


class TokenState(StrEnum):
    """一个 Token 此刻怎样:在用、冷却中、被拒绝、今天的次数用完。"""

    HELD = "held"
    RESTING = "resting"
    REFUSED = "refused"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class TokenSnapshot:
    """一个 Token:怎样,冷却到什么时候,这一分钟用了几次、可以用几次。

    `minute` is 0 where no limit is known, and `used` is not counted then. `why` is what
    the provider said.
    """

    id: int
    label: str
    state: TokenState
    used: int
    minute: int
    until: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class LaneSnapshot:
    """一条通道:正在做哪只股票,从什么时候起,还有 `more` 只共用请求。

    `code` is empty where it waits for a stock or a token.
    """

    number: int
    code: str
    more: int
    since: float | None
    tokens: Sequence[TokenSnapshot]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """此刻的全部通道;`out` 是不再属于任何通道的 Token。"""

    at: float
    lanes: Sequence[LaneSnapshot] = ()
    out: Sequence[TokenSnapshot] = ()

    @property
    def tokens(self) -> list[TokenSnapshot]:
        """列出全部 Token;几条通道共用的只列一次。"""
        every = [token for lane in self.lanes for token in lane.tokens]
        return list({token.id: token for token in [*every, *self.out]}.values())

    @property
    def allowed(self) -> int | None:
        """算出手里的 Token 一分钟一共可以请求几次;有一个不限就是 None。"""
        working = {TokenState.HELD, TokenState.RESTING}
        limits = [token.minute for token in self.tokens if token.state in working]
        return None if 0 in limits else sum(limits)


def token_snapshot(
    limiter: RateLimiter, *, now: float, epoch: float
) -> TokenSnapshot | None:
    """看一个 Token 此刻怎样;让给了别人的返回 None。"""
    used, rests, why = limiter.gauge(now)
    state, until = TokenState.HELD, None
    out = limiter.out
    if isinstance(out, QuotaSpent):
        state = TokenState.EMPTY
    elif isinstance(out, NoToken) and not isinstance(out, RestsLong):
        return None
    elif out and not isinstance(out, RestsLong):
        state, why = TokenState.REFUSED, str(out)
    elif rests > 0:
        state, until = TokenState.RESTING, epoch + rests
    told = why if state in {TokenState.RESTING, TokenState.REFUSED} else ""
    token = limiter.token
    return TokenSnapshot(
        *(token.id, token.label, state, used, token.minute_limit, until, told)
    )
