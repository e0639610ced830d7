"""为什么没有可用的 Token:一句给人看的话,用当前的语言。"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

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
        message = _("There is no token of %s yet; import some with import_tokens.")
        return message % provider
    enabled = kept.filter(status=conditions.ENABLED)
    if not enabled.exists():
        return _("No token of %s is enabled.") % provider
    usable = tokens.usable(provider, at=at)
    if not usable.exists():
        last = enabled.latest("expire_time").expire_time
        message = _(
            "Every enabled token of %(provider)s has expired, the last %(when)s."
        )
        return message % {"provider": provider, "when": _on(last)}
    serving = usable.serving(markets) if markets else usable
    if not serving.exists():
        message = _("No usable token of %(provider)s serves %(markets)s.")
        return message % {"provider": provider, "markets": _(" or ").join(markets)}
    below = serving.with_calls_left(at=at)
    if not below.exists():
        message = _(
            "Every usable token of %(provider)s is at its daily limit until %(when)s."
        )
        return message % {"provider": provider, "when": _on(quota.next_day_at(at))}
    return "" if below.free(at=at).exists() else _held_by(below, at=at)


def _held_by(tokens: ApiTokenQuerySet, *, at: datetime) -> str:
    since: dict[str, datetime | None] = {}
    for token in tokens.held(at=at).order_by("leased_at", "pk"):
        since.setdefault(token.leased_by, token.leased_at)
    named = [
        _("%(owner)s since %(when)s") % {"owner": owner, "when": _on(since[owner])}
        for owner in list(since)[:NAMED_HOLDERS]
    ]
    more = len(since) - len(named)
    rest = [_("%d more") % more] if more else []
    message = _("Every usable token with calls left is held by %s.")
    return message % ", ".join(named + rest)


def _on(at: datetime | None) -> str:
    return _("long ago") if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
