"""引擎的 Token 账本,记在 tokens 应用里。"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import count

from django.conf import settings
from django.db.utils import DatabaseError

from common.hosts import HostRefused, permitted_host
from sync.engine.depth import Depth, from_json, to_json
from sync.engine.errors import AddressRefused, MarketNotAllowed
from sync.engine.ports import Grant, LeasedToken, Secret, Token, Usage
from sync.storage.retrying import Retrying, Unavailable, at_once
from tokens import quota
from tokens.accounts import Closing, Opening
from tokens.models import ApiToken
from tokens.querysets import LEASE_SECONDS
from tokens.secrets import SecretError
from tokens.validation import allowed_hosts

from ..errors import NoUsableToken

logger = logging.getLogger(__name__)

# Nothing is reserved this close to the turn of a token's day: a call must not be
# counted in one day here and in the next by the provider.
QUIET = timedelta(seconds=15)


class TokenLedger:
    """一个持有者租用的 Token 的账,写进 tokens 应用;只由一个线程使用。

    `retrying` repeats what the database asks to try again: an answer that was lost may
    make a call count twice, and never one of them not at all. Leases are made for
    `seconds`.
    """

    def __init__(
        self,
        *,
        owner: str,
        now: Callable[[], datetime],
        retrying: Retrying = at_once,
        seconds: int = LEASE_SECONDS,
    ) -> None:
        self.owner = owner
        self._now = now
        self._retrying = retrying
        self._seconds = seconds
        self._revisions: dict[int, int] = {}

    def lease(
        self, tokens: Iterable[ApiToken], *, most: int | None = None
    ) -> list[LeasedToken]:
        """租用这些 Token 里能租到的,至多 `most` 个。

        One whose value no configured key opens, or which may not be sent to its
        address, is given back; raises NoUsableToken where that leaves none.
        """
        leased: list[LeasedToken] = []
        unfit: SecretError | HostRefused | None = None
        wanted = self._retrying(lambda: list(tokens))
        while wanted and len(leased) != most:
            room = len(wanted) if most is None else most - len(leased)
            first, wanted = wanted[:room], wanted[room:]
            for mine in self._taken(first):
                try:
                    leased.append(_opened(mine, at=self._now()))
                    self._revisions[mine.pk] = mine.plan_revision
                except (SecretError, HostRefused) as error:
                    logger.warning("Token %s cannot be used: %s", mine, error)
                    unfit = error
                    self._give_back(mine)
                    self._note(mine.pk, error)
        if unfit and not leased:
            raise NoUsableToken(str(unfit)) from unfit
        return leased

    def reserve(self, usages: Sequence[Usage]) -> list[Grant]:
        """报告几个 Token 的用量,并各预订至多 `wanted` 次请求。"""
        attempts = count()
        return self._retrying(lambda: self._granted(usages, again=next(attempts) > 0))

    def release(self, usages: Sequence[Usage]) -> None:
        """归还这些 Token 和没有用掉的次数;数据库不在时租约会自己到期。"""
        closings = {
            usage.token.id: Closing(
                usage.unused, usage.done, usage.recent, usage.errors
            )
            for usage in usages
        }
        try:
            self._retrying(lambda: self._released(closings))
        except DatabaseError as error:
            logger.warning(
                "%d tokens could not be given back, their leases will run out: %s",
                *(len(usages), error),
                exc_info=not isinstance(error, Unavailable),
            )

    def out(self, token: Token, error: Exception, *, market: str) -> None:
        """Token 不能再用:停用它,或者记下它的套餐不含这个市场。

        Disabled is only one that the provider has refused.
        """
        at = self._now()
        change = ApiToken.objects.retire
        if isinstance(error, MarketNotAllowed):
            change = partial(ApiToken.objects.exclude_market, market=market)
        elif isinstance(error, AddressRefused):
            change = ApiToken.objects.note
        self._retrying(
            lambda: change(token.id, reason=str(error), at=at, by=self.owner)
        )

    def rest(self, token: Token, *, seconds: float, text: str) -> None:
        """Token 被限流,要休息一会儿。"""
        at = self._now()
        until = at + timedelta(seconds=seconds)
        rest = partial(ApiToken.objects.rest, token.id, until=until, reason=text)
        self._retrying(lambda: rest(at=at, by=self.owner))

    def shrink(self, token: Token, *, batch: int, asked: int, empty: bool) -> None:
        """一次问 `asked` 只太多,一天里最多 `batch` 只。"""
        how = "came back empty" if empty else "were refused as too many"
        reason = f"{asked} stocks in one call {how}, at most {batch} for a day"
        shrink = partial(ApiToken.objects.shrink, token.id, batch=batch, reason=reason)
        self._retrying(lambda: shrink(at=self._now(), by=self.owner))

    def learned(self, token_id: int, depths: Mapping[str, Depth]) -> None:
        """记下从一个 Token 的回答里学到的:它看得到多久以前。

        A database that is away costs what was learned, and no more: it is learned
        again.
        """
        learn = partial(
            ApiToken.objects.learn,
            token_id,
            depth=to_json(depths),
            revision=self._revisions[token_id],
        )
        try:
            self._retrying(learn)
        except DatabaseError as error:
            # That the database is away is told once, by whoever gives tokens back.
            level = logging.DEBUG if isinstance(error, Unavailable) else logging.WARNING
            logger.log(level, "What token %d sees is not written: %s", token_id, error)

    def renew(self) -> frozenset[int]:
        """续租,返回仍归我们的 Token;只做一遍,由心跳重做。"""
        renewed = ApiToken.objects.renew(
            owner=self.owner, at=self._now(), seconds=self._seconds
        )
        return frozenset(renewed)

    def _taken(self, tokens: Sequence[ApiToken]) -> Iterator[ApiToken]:
        """租到的那些;没有人占着的一次租下。"""
        idle = self._take_idle(tokens)
        for token in tokens:
            if mine := idle.get(token.pk) or self._take(token):
                yield mine

    def _take_idle(self, tokens: Sequence[ApiToken]) -> dict[int, ApiToken]:
        take = partial(
            ApiToken.objects.lease_idle,
            [token.pk for token in tokens if not token.leased_by],
            owner=self.owner,
            at=self._now(),
            seconds=self._seconds,
        )
        return self._retrying(take)

    def _take(self, token: ApiToken) -> ApiToken | None:
        tokens = ApiToken.objects
        attempts = count()

        def take() -> ApiToken | None:
            again, at = next(attempts) > 0, self._now()
            if tokens.lease(token, owner=self.owner, at=at, seconds=self._seconds):
                return token
            # Ours already where the answer to the attempt before was lost.
            mine = tokens.filter(pk=token.pk, leased_by=self.owner)
            return mine.first() if again else None

        return self._retrying(take)

    def _granted(self, usages: Sequence[Usage], *, again: bool) -> list[Grant]:
        at = self._now()
        seconds = (quota.next_day_at(at) - QUIET - at).total_seconds()
        # What is done is taken off once: where the answer to an attempt was lost, the
        # next one takes off nothing, and rather leaves too much reserved.
        openings = {
            usage.token.id: Opening(
                usage.wanted if seconds > 0 else 0,
                0 if again else usage.done,
                usage.recent,
                0 if again else usage.errors,
            )
            for usage in usages
        }
        granted = ApiToken.objects.reserve(openings, owner=self.owner, at=at)
        return [
            _grant(granted.get(usage.token.id), seconds=seconds) for usage in usages
        ]

    def _note(self, token_id: int, error: Exception) -> None:
        note = partial(ApiToken.objects.note, token_id, reason=str(error))
        self._retrying(lambda: note(at=self._now(), by=self.owner))

    def _give_back(self, token: ApiToken) -> None:
        closing = Closing(unused=0, done=0, recent=token.recent_calls)
        self._retrying(lambda: self._released({token.pk: closing}))

    def _released(self, closings: Mapping[int, Closing]) -> None:
        ApiToken.objects.release(closings, owner=self.owner, at=self._now())


def _grant(calls: int | None, *, seconds: float) -> Grant:
    if calls is None:
        # The heartbeat finds out as well that it is not ours, and takes it away.
        return Grant(0)
    return Grant(calls, seconds, spent=seconds > 0 and not calls)


def _opened(row: ApiToken, *, at: datetime) -> LeasedToken:
    base_url = row.base_url or settings.ITICK_BASE_URL
    permitted_host(base_url, allowed=allowed_hosts())
    token = Token(
        id=row.pk,
        label=str(row),
        secret=Secret(row.reveal()),
        base_url=base_url,
        minute_limit=row.minute_limit,
        batch_size=row.batch_at(at),
    )
    rests = (row.resting_until - at).total_seconds() if row.resting_until else 0.0
    carried = tuple(row.carried_calls(at))
    return LeasedToken(token, carried, max(0.0, rests), from_json(row.depth))
