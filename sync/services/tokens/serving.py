"""哪些市场有 Token 可用:一次运行只问一次,没有的只有一个决定。"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tokens.models import ApiToken

from ..errors import NoUsableToken

PROVIDER = "itick"


@dataclass(frozen=True, slots=True)
class Serving:
    """想做的市场,分成有 Token 可用的和没有的。

    `why` tells why there is none for those. A token that is held, or at its daily
    limit, serves: it is waited for.
    """

    served: tuple[str, ...] = ()
    unserved: tuple[str, ...] = ()
    why: str = ""

    def limited_to(self, wanted: Collection[str]) -> Serving:
        """只做这些市场;没有 Token 的照样都说。"""
        served = tuple(market for market in self.served if market in wanted)
        return replace(self, served=served)

    def without(self, market: str, *, why: str) -> Serving:
        """这个市场的 Token 后来也不能用了。"""
        served = tuple(other for other in self.served if other != market)
        return Serving(served, (*self.unserved, market), self.why or why)


def serving(wanted: Sequence[str], *, at: datetime) -> Serving:
    """问一次这些市场里哪些有启用的 Token。"""
    found = ApiToken.objects.usable(PROVIDER, at=at).markets_served(wanted)
    served = tuple(market for market in wanted if market in found)
    unserved = tuple(market for market in wanted if market not in found)
    if not unserved:
        return Serving(served)
    why = ApiToken.objects.why_none_available(PROVIDER, at=at, markets=unserved)
    return Serving(served, unserved, why)


def require_token(wanted: Sequence[str], *, at: datetime) -> None:
    """至少一个市场要有启用的 Token;没有时抛出 NoUsableToken。

    Without markets: whatever market it serves.
    """
    tokens = ApiToken.objects
    usable = tokens.usable(PROVIDER, at=at)
    if not (usable.serving(wanted) if wanted else usable).exists():
        raise NoUsableToken(tokens.why_none_available(PROVIDER, at=at, markets=wanted))
