"""Token 此刻的状态,一个词;也能按这个词筛选。"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from . import conditions

if TYPE_CHECKING:
    from .models import ApiToken
    from .querysets import ApiTokenQuerySet


class TokenState(models.TextChoices):
    """一个 Token 的状态;几个都对的时候,算最前面的。"""

    DELETED = "deleted", _("deleted")
    REFUSED = "refused", _("refused")
    DISABLED = "disabled", _("disabled")
    EXPIRED = "expired", _("expired")
    HELD = "held", _("held")
    AT_LIMIT = "at_limit", _("at its limit")
    RESTING = "resting", _("resting")
    ENABLED = "enabled", _("enabled")


USABLE = (
    *(TokenState.ENABLED, TokenState.HELD),
    *(TokenState.RESTING, TokenState.AT_LIMIT),
)
OUT = (TokenState.REFUSED, TokenState.DISABLED, TokenState.EXPIRED)


@dataclass(frozen=True, slots=True)
class TokenSummary:
    """Token 的概况;`states` 里每个 Token 只算在一种状态里。

    `leased`, `resting` and `at_limit` count usable tokens, one of which may be several
    of them. `left_today` is None where a usable token has no daily limit. `calls_today`
    are calls made, by all tokens; what is reserved and not made yet is not among them.
    """

    states: Counter[TokenState]
    leased: int
    resting: int
    at_limit: int
    left_today: int | None
    calls_today: int

    @property
    def usable(self) -> int:
        """数出能用的:启用、没过期,不管现在是不是被占用。"""
        return sum(self.states[state] for state in USABLE)

    @property
    def out(self) -> int:
        """数出停用的、被拒绝的和过期的。"""
        return sum(self.states[state] for state in OUT)


def summarised(tokens: Iterable[ApiToken], *, at: datetime) -> TokenSummary:
    """数出这些 Token 在 `at` 的概况。"""
    rows = list(tokens)
    usable = [token for token in rows if state_of(token, at=at) in USABLE]
    lefts = [token.left_today(at) for token in usable]
    made = (token.used_today(at) - token.reserved for token in rows)
    return TokenSummary(
        states=Counter(state_of(token, at=at) for token in rows),
        leased=sum(_is_held(token, at=at) for token in usable),
        resting=sum(_rests(token, at=at) for token in usable),
        at_limit=lefts.count(0),
        left_today=None if None in lefts else sum(left or 0 for left in lefts),
        calls_today=sum(max(0, calls) for calls in made),
    )


def state_of(token: ApiToken, *, at: datetime) -> TokenState:
    """判断一个 Token 在 `at` 的状态,按读出来的行。"""
    expires = token.expire_time
    disabled = token.status != conditions.ENABLED
    tests = {
        TokenState.DELETED: token.deleted,
        TokenState.REFUSED: disabled and token.refused_at is not None,
        TokenState.DISABLED: disabled,
        TokenState.EXPIRED: expires is not None and expires <= at,
        TokenState.HELD: _is_held(token, at=at),
        TokenState.AT_LIMIT: token.left_today(at) == 0,
        TokenState.RESTING: _rests(token, at=at),
        TokenState.ENABLED: True,
    }
    return next(state for state, holds in tests.items() if holds)


def _is_held(token: ApiToken, *, at: datetime) -> bool:
    until = token.leased_until if token.leased_by else None
    return until is not None and until > at


def _rests(token: ApiToken, *, at: datetime) -> bool:
    return token.resting_until is not None and token.resting_until > at


def in_state(
    tokens: ApiTokenQuerySet, state: TokenState, *, at: datetime
) -> ApiTokenQuerySet:
    """留下处于这个状态的 Token,和 `state_of` 的判断一样。"""
    if state == TokenState.DELETED:
        return tokens.filter(deleted=True)
    kept = tokens.filter(deleted=False)
    if state == TokenState.REFUSED:
        return tokens.refused()
    if state == TokenState.DISABLED:
        return kept.exclude(status=conditions.ENABLED).filter(refused_at=None)
    if state == TokenState.EXPIRED:
        return kept.filter(status=conditions.ENABLED, expire_time__lte=at)
    in_force = kept.filter(conditions.in_force(at))
    if state == TokenState.HELD:
        return in_force.held(at=at)
    return _of_free(in_force.free(at=at), state, at=at)


def _of_free(
    free: ApiTokenQuerySet, state: TokenState, *, at: datetime
) -> ApiTokenQuerySet:
    below = free.with_calls_left(at=at)
    if state == TokenState.AT_LIMIT:
        return free.exclude(pk__in=below.values("pk"))
    if state == TokenState.RESTING:
        return below.filter(resting_until__gt=at)
    return below.filter(Q(resting_until=None) | Q(resting_until__lte=at))
