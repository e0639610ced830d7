"""一个分片从哪里得到 Token:租用、等待,等得久就先停下。"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial

from common.messages import Message
from sync.engine.ports import LeasedToken
from sync.models import SyncRun
from sync.models.shards import LEASE, UNFINISHED, owner_of
from sync.storage.retrying import Retrying
from tokens import quota
from tokens.models import ApiToken

from ..tokens.ledger import TokenLedger
from ..tokens.serving import PROVIDER, require_token
from ..tokens.sharing import TokenSharing
from .cut import capacity

# Somebody who waits longer than this waits without a process.
LONGEST_WAIT = timedelta(minutes=2)


class Parked(Exception):
    """要等很久才有用于这些市场的 Token;分片先停下,到时候再继续。"""

    def __init__(
        self, why: Message, *, until: datetime, markets: Sequence[str]
    ) -> None:
        super().__init__(why)
        self.why = why
        self.until = until
        self.markets = markets


class LeftToSiblings(Exception):
    """Token 都在同一次运行的别的分片手里:它们做完了会接着做这个。"""


def soonest(waits: Sequence[Parked | LeftToSiblings]) -> Parked | LeftToSiblings:
    """几个市场都没有 Token:等最先会有的那个。"""
    parked = [wait for wait in waits if isinstance(wait, Parked)]
    if len(parked) < len(waits):
        return LeftToSiblings()
    return Parked(
        parked[0].why,
        until=min(wait.until for wait in parked),
        markets=[market for wait in parked for market in wait.markets],
    )


class Leasing:
    """一个分片的 Token 来源。

    `wait` is called with a reason about once a second while there are no tokens; it
    returns False once the run is to stop. `tell` is told of the same, with an empty
    message once there are some again.
    """

    def __init__(
        self,
        run: SyncRun,
        *,
        ledger: TokenLedger,
        now: Callable[[], datetime],
        retrying: Retrying,
        wait: Callable[[Message], bool],
        tell: Callable[[Message], None],
    ) -> None:
        self._run = run
        self._ledger = ledger
        self._now = now
        self._retrying = retrying
        self._wait = wait
        self._tell = tell
        self._shards = 1

    def sharing(
        self, market: str, *, of: int, among: Collection[int] | None = None
    ) -> TokenSharing:
        """和别的持有者分这个市场的 Token;`of` 是这次运行的分片数。

        `among`: only these are of use.
        """
        self._shards = of
        return TokenSharing(
            market,
            ledger=self._ledger,
            now=self._now,
            retrying=self._retrying,
            most=lambda: self._retrying(partial(self._share, market, at=self._now())),
            tell=self._tell,
            among=among,
        )

    def lease(
        self, market: str, sharing: TokenSharing, *, wanted: int, calls: int
    ) -> Sequence[LeasedToken]:
        """租用能用于这个市场的 Token;没有就等。一个也没有租到表示要停下了。

        `wanted` are of use where others want some as well. Raises NoUsableToken where
        none is enabled, Parked and LeftToSiblings.
        """
        began = self._now()
        while True:
            if leased := sharing.change(held=0, wanted=wanted, calls=calls).more:
                return leased
            at = self._now()
            why = self._retrying(partial(self._why_none, market, began=began, at=at))
            if not self._wait(why):
                return []

    def _why_none(self, market: str, *, began: datetime, at: datetime) -> Message:
        """为什么要等;不该等的时候抛出。"""
        require_token([market], at=at)
        self._check_siblings(market, at=at)
        why = ApiToken.objects.why_none_available(PROVIDER, at=at, markets=[market])
        self._check_wait(market, why, began=began, at=at)
        return why

    def _share(self, market: str, *, at: datetime) -> int | None:
        """归这个分片的有几个:它公平的一份,不超过一个进程用得了的;None 是全部。"""
        if self._shards == 1:
            return None
        usable = ApiToken.objects.usable(PROVIDER, at=at, market=market)
        tokens = usable.with_calls_left(at=at).count()
        unfinished = self._run.shards.filter(state__in=UNFINISHED).count()
        shares = max(1, min(self._run.shares, unfinished))
        return min(math.ceil(tokens / shares), capacity())

    def _check_siblings(self, market: str, *, at: datetime) -> None:
        if self._shards == 1:
            return
        held = ApiToken.objects.usable(PROVIDER, at=at, market=market).held(at=at)
        if held.filter(leased_by__startswith=owner_of(self._run.pk)).exists():
            raise LeftToSiblings

    def _check_wait(
        self, market: str, why: Message, *, began: datetime, at: datetime
    ) -> None:
        usable = ApiToken.objects.usable(PROVIDER, at=at, market=market)
        left = usable.with_calls_left(at=at)
        # One query: another run may give its tokens back between two.
        if (usable.held(at=at) | left.awake(by=at + LONGEST_WAIT)).exists():
            # Somebody who looks at the terminal waits as long as it takes.
            if self._run.background and at - began > LONGEST_WAIT:
                raise Parked(why, until=at + LEASE, markets=[market])
            return
        if first := left.exclude(resting_until=None).order_by("resting_until").first():
            assert first.resting_until
            why, until = _rests(first, market=market), first.resting_until
        else:
            until = quota.next_day_at(at)
        if until - at > LONGEST_WAIT:
            raise Parked(why, until=until, markets=[market])


def _rests(token: ApiToken, *, market: str) -> Message:
    when = f"{token.resting_until:%Y-%m-%d %H:%M:%S} UTC"
    if not token.last_error:
        return Message(
            "Every usable token that serves %(market)s rests after refusals, the first "
            "until %(when)s.",
            market=market,
            when=when,
        )
    return Message(
        "Every usable token that serves %(market)s rests after refusals, the first "
        "until %(when)s: %(why)s",
        market=market,
        when=when,
        why=token.last_error,
    )
