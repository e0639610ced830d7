"""ApiToken 的查询集:谁能用,谁在用,用了多少。

Every change of a shared row is one UPDATE whose WHERE repeats the test and whose count
is looked at; nothing is read, then saved. All are safe from several threads and
machines. Values are worked out in Python and not in SET: MySQL works through a SET
from left to right and lets the later assignments see the earlier ones.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Concat

from . import conditions, quota
from .availability import why_none_available
from .conditions import DISABLED, ENABLED
from .keeping import KeptQuerySet

if TYPE_CHECKING:
    from .models import ApiToken

logger = logging.getLogger(__name__)

LEASE_SECONDS = 60
ERROR_LENGTH = 500
OWNER_LENGTH = 100
# A miss means that somebody else has written, so few are ever needed.
ATTEMPTS = 100
LEDGER = ("daily_limit", "daily_used", "usage_date", "reserved")


class LeaseLost(Exception):
    """Token 已经不归这个持有者。"""


class ApiTokenQuerySet(KeptQuerySet):
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
        if not owner or len(owner) > OWNER_LENGTH:
            raise ValueError(f"an owner has 1 to {OWNER_LENGTH} characters")
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
        self,
        token_id: int,
        *,
        owner: str,
        calls: int,
        done: int,
        recent: list[list[int]],
        at: datetime,
    ) -> int:
        """为今天再预留至多 `calls` 次请求,返回给出的次数,可能是 0。

        `done`: calls finished since the last report. `recent`: the holder's whole log
        of the last 62 s, the carried calls of earlier holders included; it replaces
        what is stored. Raises LeaseLost unless the lease is the owner's and live.
        """
        mine = self.filter(pk=token_id, leased_by=owner, leased_until__gt=at)
        day = quota.day_of(at)
        for _ in range(ATTEMPTS):
            old = mine.ledger()
            if old is None:
                break
            new, granted = old.granting(calls, done=done, day=day)
            if mine.swap(old, new, recent_calls=recent):
                return granted
        raise LeaseLost(f"Token {token_id} is no longer leased by {owner}.")

    def release(
        self,
        token_id: int,
        *,
        owner: str,
        unused: int,
        done: int,
        recent: list[list[int]],
        at: datetime,
    ) -> bool:
        """归还 Token,退回 `unused` 次没用的预留;已经不归自己时返回 False。

        Reserved calls that are neither unused nor `done` stay counted, as made at `at`.
        A lease that ran out and that nobody took can be given back as well.
        """
        mine = self.filter(pk=token_id, leased_by=owner).exclude(leased_by="")
        gone = {"leased_by": "", "leased_at": None, "leased_until": None}
        for _ in range(ATTEMPTS):
            old = mine.ledger()
            if old is None:
                return False
            lost = old.reserved - unused - done
            log = quota.with_lost_calls(recent, calls=lost, made_at=at, at=at)
            new = old.closing(unused=unused, day=quota.day_of(at))
            if mine.swap(old, new, recent_calls=log, **gone):
                return True
        return False

    def lapse(self, *, owner: str, at: datetime) -> int:
        """让一个死掉的持有者的租约立刻到期,返回有几个。

        Whoever takes such a token over counts what was reserved as made just now.
        """
        return self.held(at=at).filter(leased_by=owner).update(leased_until=at)

    def ledger(self) -> quota.Ledger | None:
        """唯一那一行的账;没有那一行返回 None。"""
        row = self.values(*LEDGER).first()
        return None if row is None else quota.Ledger(**row)

    def swap(self, old: quota.Ledger, new: quota.Ledger, **others: Any) -> bool:
        """账还是 `old` 的时候换成 `new`;别人先改了就返回 False。

        `daily_limit` is compared, never written: that is the staff's.
        """
        unchanged = asdict(old)
        changes = asdict(new)
        del changes["daily_limit"]
        return bool(self.filter(**unchanged).update(**changes, **others))

    def retire(self, token_id: int, *, reason: str, at: datetime) -> bool:
        """停用被服务商拒绝的 Token;已经停用的返回 False。

        `reason` is shown to people and never holds a token's value.
        """
        enabled = self.filter(pk=token_id, status=ENABLED)
        retired = bool(enabled.update(status=DISABLED, **_error(reason, at=at)))
        if retired:
            extra = {"event": "token.retired", "token": token_id}
            logger.warning("token %s retired: %s", token_id, reason, extra=extra)
        return retired

    def rest(
        self, token_id: int, *, until: datetime, reason: str, at: datetime
    ) -> bool:
        """让 Token 休息到 `until`;已经要休息得更久的返回 False。"""
        shorter = Q(resting_until=None) | Q(resting_until__lt=until)
        tokens = self.filter(shorter, pk=token_id)
        return bool(tokens.update(resting_until=until, **_error(reason, at=at)))

    def exclude_market(
        self, token_id: int, *, market: str, reason: str, at: datetime
    ) -> bool:
        """记下套餐不含这个市场;已经记过的返回 False。"""
        tokens = self.filter(~conditions.holds("excluded_markets", market), pk=token_id)
        # One column, so the order of assignments does not matter.
        text = models.CharField()
        longer = Case(
            When(excluded_markets="", then=Value(market)),
            default=Concat("excluded_markets", Value(f",{market}"), output_field=text),
            output_field=text,
        )
        changes = {"excluded_markets": longer, **_error(reason, at=at)}
        return bool(tokens.update(**changes))


def _until(at: datetime, seconds: int) -> datetime:
    return at + timedelta(seconds=seconds)


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


def _error(reason: str, *, at: datetime) -> dict[str, Any]:
    return {"last_error": reason[:ERROR_LENGTH], "last_error_at": at}
