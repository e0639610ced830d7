"""一个分片怎样和别的持有者分 Token:说出愿望,看看别人的,让出或者租用。

Whoever waits says so once a second, and so does whoever holds; each works out by the
same rule (tokens/fairness.py) who should have how many, and acts on its own account. So
nobody has to be asked, and who is killed is forgotten within seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial

from common.messages import Message
from sync.engine.ports import Change, LeasedToken
from sync.storage.retrying import Retrying
from tokens.fairness import Balance, balance
from tokens.models import ApiToken, TokenWish
from tokens.wishes import contenders

from ..errors import NoUsableToken
from .ledger import TokenLedger
from .serving import PROVIDER

# As many as there are.
ALL = 1_000_000
# One that rests for longer is no use now.
LONGEST_REST = timedelta(minutes=2)


class TokenSharing:
    """一个分片在一个市场里的那一份;只由协调者的线程使用。

    `most` bounds how many it takes, None for no bound. `tell` is told why it has none,
    and with an empty message that it has some again. With `among` it takes these only.
    """

    def __init__(
        self,
        market: str,
        *,
        ledger: TokenLedger,
        now: Callable[[], datetime],
        retrying: Retrying,
        most: Callable[[], int | None],
        tell: Callable[[Message], None],
        among: Collection[int] | None = None,
    ) -> None:
        self._market = market
        self._ledger = ledger
        self._now = now
        self._retrying = retrying
        self._most = most
        self._tell = tell
        self._among = among
        self._waits_since: datetime | None = None

    def look(self, *, held: int, wanted: int | None, calls: int) -> Change:
        """看看别人等不等,有没有空出来的。"""
        try:
            change = self.change(held=held, wanted=wanted, calls=calls)
        except NoUsableToken:
            change = Change()  # those that are free cannot be used
        if held or change.more:
            self._tell(Message())
            return change
        at = self._now()
        left = ApiToken.objects.usable(PROVIDER, at=at, market=self._market)
        left = left.with_calls_left(at=at).awake(by=at + LONGEST_REST)
        if not self._retrying(left.exists):
            return Change(hopeless=True)
        self._tell(self._retrying(lambda: self._why_none(at=at)))
        return change

    def change(self, *, held: int, wanted: int | None, calls: int) -> Change:
        """说出愿望,按各方的愿望让出或者租用。

        Raises NoUsableToken where what is free cannot be used.
        """
        at = self._now()
        self._waits_since = None if held else self._waits_since or at
        wishes = self._retrying(lambda: self._wishes(wanted or ALL, calls, at=at))
        if len(wishes) == 1:
            if wanted is not None and wanted <= held:
                return Change()
            # Nobody else: whatever is free, for it is of no use to anybody.
            return Change(more=self._lease(held, take=None, at=at))
        mine = self._retrying(lambda: self._balance(self._market, wishes, at=at))
        if mine.take:
            return Change(more=self._lease(held, take=mine.take, at=at))
        return self._to_give(mine, wishes, at=at)

    def _to_give(
        self, mine: Balance, wishes: dict[str, TokenWish], *, at: datetime
    ) -> Change:
        if mine.give:
            return Change(give=mine.give)
        # The tokens may serve other markets, which others wait for.
        others = {wish.market for wish in wishes.values()} - {self._market}
        for market in sorted(others):
            found = self._retrying(partial(self._balance, market, wishes, at=at))
            if found.give:
                ids = ApiToken.objects.serving([market]).values_list("pk", flat=True)
                serving: list[int] = self._retrying(partial(list, ids))
                return Change(give=found.give, among=frozenset(serving))
        return Change()

    def _wishes(self, wanted: int, calls: int, *, at: datetime) -> dict[str, TokenWish]:
        """说出自己的,返回大家的。"""
        TokenWish.objects.post(
            self._ledger.owner,
            market=self._market,
            wanted=wanted,
            calls=calls,
            since=self._waits_since or at,
            at=at,
        )
        return {wish.owner: wish for wish in TokenWish.objects.live(at=at)}

    def _balance(
        self, market: str, wishes: dict[str, TokenWish], *, at: datetime
    ) -> Balance:
        tokens = ApiToken.objects.usable(PROVIDER, at=at, market=market)
        awake = tokens.with_calls_left(at=at).awake(by=at + LONGEST_REST)
        rows = list(awake.values_list("leased_by", "leased_at", "leased_until"))
        held = [
            (owner, since)
            for owner, since, until in rows
            if owner and until and until > at
        ]
        parties = contenders(market, held, wishes, at=at)
        if self._ledger.owner not in {each.owner for each in parties}:
            return Balance()
        return balance(self._ledger.owner, parties, free=len(rows) - len(held), at=at)

    def _lease(
        self, held: int, *, take: int | None, at: datetime
    ) -> tuple[LeasedToken, ...]:
        room = self._most()
        if room is not None:
            room -= held
            take = room if take is None else min(take, room)
        if take is not None and take <= 0:
            return ()
        available = ApiToken.objects.available(PROVIDER, at=at, market=self._market)
        awake = available.awake(by=at + LONGEST_REST)
        if self._among is not None:
            awake = awake.filter(pk__in=self._among)
        return tuple(self._ledger.lease(awake, most=take))

    def _why_none(self, *, at: datetime) -> Message:
        tokens = ApiToken.objects
        return tokens.why_none_available(PROVIDER, at=at, markets=[self._market])
