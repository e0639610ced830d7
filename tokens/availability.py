"""为什么没有可用的 Token:一句给人看的话。"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from common.messages import Message, joined

from . import conditions, quota

if TYPE_CHECKING:
    from .querysets import ApiTokenQuerySet

NAMED_HOLDERS = 3
# Told apart from other reasons: what a run with one of these waits for is quota.
AT_LIMIT = Message(
    "Every usable token of %(provider)s is at its daily limit until %(when)s."
).text
AT_LIMIT_THERE = Message(
    "Every usable token of %(provider)s that serves %(markets)s is at its daily limit "
    "until %(when)s."
).text
OR = Message("%(first)s or %(rest)s").text
# An owner is a run, and which process of it; people are told of the run.
RUN = re.compile(r"run (\d+)\b")


def why_none_available(
    tokens: ApiTokenQuerySet, *, provider: str, at: datetime, markets: Sequence[str]
) -> Message:
    """说明为什么没有可用的 Token;有可用的就是空的。

    The first test that no token passes is the reason, in the order in which a person
    would set things right.
    """
    kept = tokens.filter(provider=provider, deleted=False)
    if not kept.exists():
        return Message(
            "There is no token of %(provider)s yet; import some with import_tokens.",
            provider=provider,
        )
    enabled = kept.filter(status=conditions.ENABLED)
    if not enabled.exists():
        return Message("No token of %(provider)s is enabled.", provider=provider)
    usable = tokens.usable(provider, at=at)
    if not usable.exists():
        return Message(
            "Every enabled token of %(provider)s has expired, the last %(when)s.",
            provider=provider,
            when=_on(enabled.latest("expire_time").expire_time),
        )
    serving = usable.serving(markets) if markets else usable
    if not serving.exists():
        return Message(
            "No usable token of %(provider)s serves %(markets)s.",
            provider=provider,
            markets=joined(markets, by=OR),
        )
    return _used_or_held(serving, provider=provider, at=at, markets=markets)


def _used_or_held(
    serving: ApiTokenQuerySet, *, provider: str, at: datetime, markets: Sequence[str]
) -> Message:
    below = serving.with_calls_left(at=at)
    if below.exists():
        return Message() if below.free(at=at).exists() else _held_by(below, at=at)
    # What a holder has reserved and does not use is given back: it is waited for.
    reserved = serving.filter(reserved__gt=0)
    if reserved.held(at=at).exists():
        return _held_by(reserved, at=at)
    when = _on(quota.next_day_at(at))
    if not markets:
        return Message(AT_LIMIT, provider=provider, when=when)
    there = joined(markets, by=OR)
    return Message(AT_LIMIT_THERE, provider=provider, markets=there, when=when)


def _held_by(tokens: ApiTokenQuerySet, *, at: datetime) -> Message:
    since: dict[str, datetime | None] = {}
    for token in tokens.held(at=at).order_by("leased_at", "pk"):
        since.setdefault(_name(token.leased_by), token.leased_at)
    holders = [
        Message("%(owner)s since %(when)s", owner=owner, when=_on(since[owner]))
        for owner in list(since)[:NAMED_HOLDERS]
    ]
    if more := len(since) - len(holders):
        holders.append(Message("%(count)d more", count=more))
    return Message(
        "Every usable token with calls left is held by %(holders)s.",
        holders=joined(holders),
    )


def _name(owner: str) -> str:
    """占用者的名字:运行的几个分片算一个。"""
    run = RUN.match(owner)
    return Message("run %(number)s", number=run[1]) if run else owner


def _on(at: datetime | None) -> str:
    moment = at and f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return moment or Message("long ago")
