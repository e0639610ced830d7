"""ApiToken 的查询集:谁能用,谁在用,用了多少。

A change of a shared row is one UPDATE whose WHERE repeats the test and whose count is
looked at; where it is many rows at once they are locked, read and saved. All are
safe from several threads and machines. Values are worked out in Python and not in SET:
MySQL works through a SET from left to right and lets the later assignments see the
earlier ones.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models import F, Q

from . import conditions, quota
from .availability import why_none_available
from .verdicts import JudgedQuerySet

if TYPE_CHECKING:
    from .models import ApiToken

logger = logging.getLogger(__name__)

LEASE_SECONDS = 60
OWNER_LENGTH = 100
LEDGER = ("daily_limit", "daily_used", "usage_date", "reserved")
# Once for each of sixty tokens, and a run's start and end wait for it: plain SQL takes
# a quarter of the time.
RESERVE = """
    UPDATE stk_api_token SET daily_used = %s, usage_date = %s, reserved = %s,
    recent_calls = %s WHERE id = %s
"""
CLOSE = """
    UPDATE stk_api_token SET daily_used = %s, usage_date = %s, recent_calls = %s,
    reserved = 0, leased_by = '', leased_at = NULL, leased_until = NULL WHERE id = %s
"""


@dataclass(frozen=True, slots=True)
class Opening:
    """要为一个 Token 再预留的次数,和它的账。

    `done` calls have ended since the last report; `recent` is the holder's whole log of
    the last 62 s, the carried calls of earlier holders included: it replaces what is
    stored.
    """

    calls: int
    done: int
    recent: list[list[int]]


@dataclass(frozen=True, slots=True)
class Closing:
    """归还一个 Token 时的账。

    `unused` reserved calls are given back, `done` ones have ended since the last
    report; `recent` is as in `Opening`.
    """

    unused: int
    done: int
    recent: list[list[int]]


class ApiTokenQuerySet(JudgedQuerySet):
    """Token 的查询集。"""

    def usable(
        self, provider: str, *, at: datetime, market: str | None = None
    ) -> ApiTokenQuerySet:
        """能用的 Token:启用、没删、没过期,而且可以用于这个市场。

        Without a market, whatever markets they serve. Held ones and those at their
        daily limit are among them.
        """
        tokens = self.filter(conditions.in_force(at), provider=provider)
        return tokens.serving([market]) if market else tokens

    def serving(self, markets: Iterable[str]) -> ApiTokenQuerySet:
        """至少能用于其中一个市场的 Token。

        A token serves a market that is in its list (a blank list is all of them) and
        that the provider has not said to be missing from its plan.
        """
        wanted = Q(pk__in=[])
        for market in markets:
            listed = Q(markets="") | conditions.holds("markets", market)
            wanted |= listed & ~conditions.holds("excluded_markets", market)
        return self.filter(wanted)

    def with_calls_left(self, *, at: datetime) -> ApiTokenQuerySet:
        """今天还没到每日上限的 Token。"""
        below = Q(daily_limit=0) | Q(daily_used__lt=F("daily_limit"))
        return self.filter(below | ~conditions.counted_today(at))

    def free(self, *, at: datetime) -> ApiTokenQuerySet:
        """没有被占用的 Token;到期的租约不算占用。"""
        return self.filter(conditions.free(at))

    def held(self, *, at: datetime) -> ApiTokenQuerySet:
        """正被占用的 Token。"""
        return self.exclude(leased_by="").filter(leased_until__gt=at)

    def available(
        self, provider: str, *, at: datetime, market: str | None = None
    ) -> ApiTokenQuerySet:
        """现在可以租用的 Token:能用、没到每日上限、没被占用。

        Resting ones come last, before that the ones with the most calls left today,
        then by id.
        """
        tokens = self.usable(provider, at=at, market=market)
        return (
            tokens.with_calls_left(at=at)
            .free(at=at)
            .order_by(*conditions.most_left_first(at))
        )

    def why_none_available(
        self, provider: str, *, at: datetime, markets: Iterable[str] = ()
    ) -> str:
        """用一句话说明为什么没有可用的 Token。

        With markets: why none is available for any of them. Blank if one is.
        """
        return why_none_available(
            self, provider=provider, at=at, markets=tuple(markets)
        )

    def lease(
        self,
        token: ApiToken,
        *,
        owner: str,
        at: datetime,
        seconds: int = LEASE_SECONDS,
    ) -> bool:
        """租用一个 Token;租不到返回 False。

        `owner` names one process at work, never blank. The row is read anew, and
        `token` holds what is stored once it is ours. A lease that ran out is taken
        over: calls reserved in it count as made at its end, for nobody can say they
        were not.
        """
        _check(owner)
        seen = self.filter(pk=token.pk).first()
        if seen is None:
            return False
        unchanged = {"leased_by": seen.leased_by, "leased_until": seen.leased_until}
        mine = {
            "leased_by": owner,
            "leased_at": at,
            "leased_until": _until(at, seconds),
        }
        takeable = self.filter(
            conditions.in_force(at), conditions.free(at)
        ).with_calls_left(at=at)
        target = takeable.filter(pk=token.pk, **unchanged)
        if not target.update(**mine, **_taken_over(seen, at=at)):
            return False
        if seen.reserved:
            extra = {"event": "token.lease_taken_over", "token": seen.pk}
            logger.warning(
                "token %s: %s calls of %s count as made",
                *(seen.pk, seen.reserved, seen.leased_by),
                extra=extra,
            )
        token.refresh_from_db()
        return True

    def lease_idle(
        self,
        ids: Collection[int],
        *,
        owner: str,
        at: datetime,
        seconds: int = LEASE_SECONDS,
    ) -> dict[int, ApiToken]:
        """一次租用其中没有人占着、账也结清了的;返回租到的,按 id。

        As `lease`, but two statements for all of them: nothing has to be taken over.
        Asked again with the same `at`, it returns what it has leased before.
        """
        _check(owner)
        idle = self.filter(conditions.in_force(at), leased_by="", reserved=0)
        idle.with_calls_left(at=at).filter(pk__in=ids).update(
            leased_by=owner, leased_at=at, leased_until=_until(at, seconds)
        )
        mine = self.filter(pk__in=ids, leased_by=owner, leased_at=at)
        return {token.pk: token for token in mine}

    def renew(
        self, *, owner: str, at: datetime, seconds: int = LEASE_SECONDS
    ) -> set[int]:
        """续租,返回仍归 `owner` 的 Token 的 id。

        One that ran out and that nobody took is ours still. A token that has been
        disabled, deleted or has expired meanwhile is neither renewed nor returned.
        """
        until = _until(at, seconds)
        owned = self.filter(leased_by=owner).exclude(leased_by="")
        mine = owned.filter(conditions.in_force(at))
        mine.update(leased_until=until)
        return set(mine.filter(leased_until=until).values_list("pk", flat=True))

    def reserve(
        self, openings: Mapping[int, Opening], *, owner: str, at: datetime
    ) -> dict[int, int]:
        """为今天再预留请求次数;按 id 返回给出的,可能是 0,已经不归自己的没有。

        Ours are those whose lease is the owner's and live. One transaction for all,
        which locks their rows.
        """
        granted: dict[int, int] = {}
        rows = []
        live = self.filter(pk__in=openings, leased_by=owner, leased_until__gt=at)
        with transaction.atomic():
            locked = live.select_for_update().order_by("pk")
            for pk, *ledger in locked.values_list("pk", *LEDGER):
                opening = openings[pk]
                new, granted[pk] = quota.Ledger(*ledger).granting(
                    opening.calls, done=opening.done, day=quota.day_of(at)
                )
                kept = (new.daily_used, new.usage_date, new.reserved)
                rows.append([*kept, json.dumps(opening.recent), pk])
            with connection.cursor() as cursor:
                cursor.executemany(RESERVE, rows)
        return granted

    def release(
        self, closings: Mapping[int, Closing], *, owner: str, at: datetime
    ) -> set[int]:
        """归还这些 Token,按 id;返回归还了的,已经不归自己的不算。

        Reserved calls that are neither unused nor done stay counted, as made at `at`. A
        lease that ran out and that nobody took can be given back as well. One
        transaction for all, which locks their rows.
        """
        with transaction.atomic():
            owned = self.filter(pk__in=closings, leased_by=owner).exclude(leased_by="")
            mine = list(owned.select_for_update().order_by("pk"))
            rows = [_closed(token, closings[token.pk], at=at) for token in mine]
            with connection.cursor() as cursor:
                cursor.executemany(CLOSE, rows)
        return {token.pk for token in mine}

    def lapse(self, *, owner: str, at: datetime) -> int:
        """让一个死掉的持有者的租约立刻到期,返回有几个。

        Whoever takes such a token over counts what was reserved as made just now.
        """
        return self.held(at=at).filter(leased_by=owner).update(leased_until=at)


def _check(owner: str) -> None:
    if not owner or len(owner) > OWNER_LENGTH:
        raise ValueError(f"an owner has 1 to {OWNER_LENGTH} characters")


def _until(at: datetime, seconds: int) -> datetime:
    return at + timedelta(seconds=seconds)


def _closed(token: ApiToken, closing: Closing, *, at: datetime) -> list[Any]:
    """The values for CLOSE."""
    lost = token.reserved - closing.unused - closing.done
    recent = quota.with_lost_calls(closing.recent, calls=lost, made_at=at, at=at)
    ledger = token.ledger.closing(unused=closing.unused, day=quota.day_of(at))
    return [ledger.daily_used, ledger.usage_date, json.dumps(recent), token.pk]


def _taken_over(seen: ApiToken, *, at: datetime) -> dict[str, Any]:
    """What else changes when a lease that ran out is taken over."""
    if not seen.reserved:
        return {}
    end = min(at, seen.leased_until or at)
    ledger = seen.ledger.closing(unused=0, day=quota.day_of(end))
    recent = quota.with_lost_calls(
        seen.recent_calls, calls=seen.reserved, made_at=end, at=at
    )
    return {
        "daily_used": ledger.daily_used,
        "usage_date": ledger.usage_date,
        "reserved": 0,
        "recent_calls": recent,
    }
