"""为什么没有可用的 Token:一句给人看的话。"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from . import conditions, quota

if TYPE_CHECKING:
    from .querysets import ApiTokenQuerySet

NAMED_HOLDERS = 3


def why_none_available(
    tokens: ApiTokenQuerySet, *, provider: str, at: datetime, markets: Sequence[str]
) -> str:
    """说明为什么没有可用的 Token;有可用的就返回空字符串。

    The first test that no token passes is the reason, in the order in which a person
    would set things right.
    """
    kept = tokens.filter(provider=provider, deleted=False)
    if not kept.exists():
        return f"There is no token of {provider} yet; import some with import_tokens."
    enabled = kept.filter(status=conditions.ENABLED)
    if not enabled.exists():
        return f"No token of {provider} is enabled."
    usable = tokens.usable(provider, at=at)
    if not usable.exists():
        last = enabled.latest("expire_time").expire_time
        return f"Every enabled token of {provider} has expired, the last {_on(last)}."
    serving = usable.serving(markets) if markets else usable
    if not serving.exists():
        return f"No usable token of {provider} serves {' or '.join(markets)}."
    below = serving.with_calls_left(at=at)
    if not below.exists():
        turn = quota.next_day_at(at)
        return (
            f"Every usable token of {provider} is at its daily limit until {_on(turn)}."
        )
    return "" if below.free(at=at).exists() else _held_by(below, at=at)


def _held_by(tokens: ApiTokenQuerySet, *, at: datetime) -> str:
    since: dict[str, datetime | None] = {}
    for token in tokens.held(at=at).order_by("leased_at", "pk"):
        since.setdefault(token.leased_by, token.leased_at)
    named = [
        f"{owner} since {_on(since[owner])}" for owner in list(since)[:NAMED_HOLDERS]
    ]
    more = len(since) - len(named)
    rest = [f"{more} more"] if more else []
    return f"Every usable token with calls left is held by {', '.join(named + rest)}."


def _on(at: datetime | None) -> str:
    return "long ago" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
