"""引擎的 Token 账本,记在 tokens 应用里。"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.utils import DatabaseError

from tokens import quota
from tokens.models import ApiToken
from tokens.querysets import LeaseLost
from tokens.secrets import SecretError

from ..engine.errors import MarketNotAllowed
from ..engine.ports import Grant, Secret, Token, Usage
from ..engine.wallet import LeasedToken
from .errors import NoUsableToken

logger = logging.getLogger(__name__)

# Nothing is reserved this close to the turn of a token's day: a call must not be
# counted in one day here and in the next by the provider.
QUIET = timedelta(seconds=15)


class TokenLedger:
    """一个持有者的账本;只由一个线程使用。"""

    def __init__(self, *, owner: str, now: Callable[[], datetime]) -> None:
        self.owner = owner
        self._now = now

    def lease(self, tokens: Iterable[ApiToken]) -> list[LeasedToken]:
        """租用这些 Token 里能租到的。

        One whose value no configured key opens is given back; raises NoUsableToken
        where that leaves none.
        """
        leased = []
        unread: SecretError | None = None
        for token in tokens:
            at = self._now()
            if not ApiToken.objects.lease(token, owner=self.owner, at=at):
                continue
            try:
                leased.append(_opened(token, at=at))
            except SecretError as error:
                logger.warning("Token %s cannot be read: %s", token, error)
                unread = error
                self._give_back(token)
        if unread and not leased:
            raise NoUsableToken(str(unread))
        return leased

    def reserve(self, usage: Usage, calls: int) -> Grant:
        """报告用量,并预订至多 `calls` 次请求。"""
        at = self._now()
        seconds = (quota.next_day_at(at) - QUIET - at).total_seconds()
        try:
            granted = ApiToken.objects.reserve(
                usage.token.id,
                owner=self.owner,
                calls=calls if seconds > 0 else 0,
                done=usage.done,
                recent=usage.recent,
                at=at,
            )
        except LeaseLost:
            # The heartbeat finds this out as well and takes the token away.
            return Grant(0)
        return Grant(granted, seconds, spent=seconds > 0 and not granted)

    def release(self, usage: Usage) -> None:
        """归还 Token 和没有用掉的次数;数据库不在时租约会自己到期。"""
        try:
            ApiToken.objects.release(
                usage.token.id,
                owner=self.owner,
                unused=usage.unused,
                done=usage.done,
                recent=usage.recent,
                at=self._now(),
            )
        except DatabaseError:
            logger.warning(
                "Token %s could not be given back, its lease will run out",
                usage.token.label,
                exc_info=True,
            )

    def out(self, token: Token, error: Exception, *, market: str) -> None:
        """Token 不能再用:停用它,或者记下它的套餐不含这个市场。"""
        at = self._now()
        if isinstance(error, MarketNotAllowed):
            ApiToken.objects.exclude_market(
                token.id, market=market, reason=str(error), at=at
            )
        else:
            ApiToken.objects.retire(token.id, reason=str(error), at=at)

    def rest(self, token: Token, *, seconds: float, text: str) -> None:
        """Token 被限流,要休息一会儿。"""
        at = self._now()
        until = at + timedelta(seconds=seconds)
        ApiToken.objects.rest(token.id, until=until, reason=text, at=at)

    def shrink(self, token: Token, *, batch: int, asked: int) -> None:
        """一次问 `asked` 只太多,以后最多 `batch` 只。"""
        reason = f"{asked} stocks in one call came back empty, at most {batch} from now"
        ApiToken.objects.shrink(token.id, batch=batch, reason=reason, at=self._now())

    def renew(self) -> frozenset[int]:
        """续租,返回仍归我们的 Token。"""
        return frozenset(ApiToken.objects.renew(owner=self.owner, at=self._now()))

    def _give_back(self, token: ApiToken) -> None:
        at = self._now()
        ApiToken.objects.release(
            token.pk,
            owner=self.owner,
            unused=0,
            done=0,
            recent=token.recent_calls,
            at=at,
        )


def _opened(row: ApiToken, *, at: datetime) -> LeasedToken:
    token = Token(
        id=row.pk,
        label=str(row),
        secret=Secret(row.reveal()),
        base_url=row.base_url or settings.ITICK_BASE_URL,
        minute_limit=row.minute_limit,
        batch_size=row.batch_size,
    )
    rests = (row.resting_until - at).total_seconds() if row.resting_until else 0.0
    return LeasedToken(token, tuple(row.carried_calls(at)), max(0.0, rests))
