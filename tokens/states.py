"""Token 此刻的状态,一个词;也能按这个词筛选。"""

from __future__ import annotations

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
    DISABLED = "disabled", _("disabled")
    EXPIRED = "expired", _("expired")
    HELD = "held", _("held")
    AT_LIMIT = "at_limit", _("at its limit")
    RESTING = "resting", _("resting")
    ENABLED = "enabled", _("enabled")


def state_of(token: ApiToken, *, at: datetime) -> TokenState:
    """这一行读出来时的状态。"""
    expires, rests = token.expire_time, token.resting_until
    leased = token.leased_until if token.leased_by else None
    tests = {
        TokenState.DELETED: token.deleted,
        TokenState.DISABLED: token.status != conditions.ENABLED,
        TokenState.EXPIRED: expires is not None and expires <= at,
        TokenState.HELD: leased is not None and leased > at,
        TokenState.AT_LIMIT: token.left_today(at) == 0,
        TokenState.RESTING: rests is not None and rests > at,
        TokenState.ENABLED: True,
    }
    return next(state for state, holds in tests.items() if holds)


def in_state(
    tokens: ApiTokenQuerySet, state: TokenState, *, at: datetime
) -> ApiTokenQuerySet:
    """处于这个状态的 Token;和 `state_of` 说的一样。"""
    if state == TokenState.DELETED:
        return tokens.filter(deleted=True)
    kept = tokens.filter(deleted=False)
    if state == TokenState.DISABLED:
        return kept.exclude(status=conditions.ENABLED)
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
