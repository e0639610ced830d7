"""ApiToken 的查询集:谁能用,谁在用,用了多少。

A change of a shared row is one UPDATE whose WHERE repeats the test and whose count is
looked at; where it is many rows at once they are locked, read and saved. All are
safe from several threads and machines. Values are worked out in Python and not in SET:
MySQL works through a SET from left to right and lets the later assignments see the
earlier ones.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.db.models import (
    Case,
    Count,
    F,
    OuterRef,
    Q,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Concat

from common.messages import Message

from . import accounts, conditions, quota
from .accounts import Closing, Opening
from .availability import why_none_available
from .conditions import DISABLED, ENABLED
from .history import TokenEvent
from .states import TokenSummary, summarised

if TYPE_CHECKING:
    from .models import ApiToken

Kind = TokenEvent.Kind

logger = logging.getLogger(__name__)

LEASE_SECONDS = 60
OWNER_LENGTH = 100
ERROR_LENGTH = 500


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """Token 的查询:谁能用,谁在用,以及怎样改它们。"""

    def usable(
        self, provider: str, *, at: datetime, market: str | None = None
    ) -> ApiTokenQuerySet:
        """留下能用的 Token:启用、没删、没过期,而且可以用于这个市场。

        Without a market, whatever markets they serve. Held ones and those at their
        daily limit are among them.
        """
        tokens = self.filter(conditions.in_force(at), provider=provider)
        return tokens.serving([market]) if market else tokens

    def serving(self, markets: Iterable[str]) -> ApiTokenQuerySet:
        """留下至少能用于其中一个市场的 Token。

        A token serves a market that is in its list (a blank list is all of them) and
        that the provider has not said to be missing from its plan.
        """
        wanted = Q(pk__in=[])
        for market in markets:
            wanted |= conditions.serves(market)
        return self.filter(wanted)

    def markets_served(self, markets: Iterable[str]) -> set[str]:
        """这些市场里,至少有一个 Token 能用的;一次查询。"""
        counted = self.aggregate(
            **{
                market: Count("pk", filter=conditions.serves(market))
                for market in markets
            }
        )
        return {market for market, count in counted.items() if count}

    def with_calls_left(self, *, at: datetime) -> ApiTokenQuerySet:
        """留下今天还没到每日上限的 Token。"""
        below = Q(daily_limit=0) | Q(daily_used__lt=F("daily_limit"))
        return self.filter(below | ~conditions.counted_today(at))

    def awake(self, *, by: datetime) -> ApiTokenQuerySet:
        """留下到 `by` 为止休息完了的 Token。"""
        return self.filter(Q(resting_until=None) | Q(resting_until__lte=by))

    def free(self, *, at: datetime) -> ApiTokenQuerySet:
        """留下没有被占用的 Token;到期的租约不算占用。"""
        return self.filter(conditions.free(at))

    def held(self, *, at: datetime) -> ApiTokenQuerySet:
        """留下正被占用的 Token。"""
        return self.exclude(leased_by="").filter(leased_until__gt=at)

    def available(
        self, provider: str, *, at: datetime, market: str | None = None
    ) -> ApiTokenQuerySet:
        """留下现在可以租用的 Token:能用、没到每日上限、没被占用,并排好先后。

        Resting ones come last, before that the ones with the most calls left today,
        then by id.
        """
        tokens = self.usable(provider, at=at, market=market)
        return (
            tokens.with_calls_left(at=at)
            .free(at=at)
            .order_by(*conditions.most_left_first(at))
        )

    def refused(self) -> ApiTokenQuerySet:
        """留下被服务商拒绝而停用的、没有删除的;人停用的不算。"""
        return self.filter(deleted=False, status=DISABLED).exclude(refused_at=None)

    def why_none_available(
        self, provider: str, *, at: datetime, markets: Iterable[str] = ()
    ) -> Message:
        """用一句话说明为什么没有可用的 Token。

        With markets: why none is available for any of them. Blank if one is.
        """
        return why_none_available(
            self, provider=provider, at=at, markets=tuple(markets)
        )

    def summary(self, *, at: datetime) -> TokenSummary:
        """数一数这些 Token 各处于什么状态,今天用了多少、还剩多少。"""
        return summarised(self.defer("token", "recent_calls"), at=at)

    def newest_events(self) -> dict[int, list[TokenEvent]]:
        """每个 Token 最近的一件事和最近一次被拒绝,新的在前,按 Token 的 id。

        Two queries, however many tokens.
        """
        own = TokenEvent.objects.filter(token=OuterRef("pk")).order_by("-at", "-pk")
        newest = Subquery(own.values("pk")[:1])
        refusal = Subquery(own.filter(kind=Kind.REFUSED).values("pk")[:1])
        pairs = self.order_by().values_list(newest, refusal)
        ids = {pk for pair in pairs for pk in pair if pk}
        found: dict[int, list[TokenEvent]] = {}
        for event in TokenEvent.objects.filter(pk__in=ids).order_by("-at", "-pk"):
            found.setdefault(event.token_id, []).append(event)
        return found

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
        with transaction.atomic():
            if not target.update(**mine, **accounts.taken_over(seen, at=at)):
                return False
            accounts.note_taken_over(seen, at=at)
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
        live = self.filter(pk__in=openings, leased_by=owner, leased_until__gt=at)
        with transaction.atomic():
            return accounts.reserve(live, openings, at=at)

    def release(
        self, closings: Mapping[int, Closing], *, owner: str, at: datetime
    ) -> set[int]:
        """归还这些 Token,按 id;返回归还了的,已经不归自己的不算。

        Reserved calls that are neither unused nor done stay counted, as made at `at`. A
        lease that ran out and that nobody took can be given back as well. One
        transaction for all, which locks their rows.
        """
        owned = self.filter(pk__in=closings, leased_by=owner).exclude(leased_by="")
        with transaction.atomic():
            return accounts.release(owned, closings, at=at)

    def lapse(self, *, owner: str, at: datetime) -> int:
        """让一个死掉的持有者的租约立刻到期,返回有几个。

        Whoever takes such a token over counts what was reserved as made just now.
        """
        return self.held(at=at).filter(leased_by=owner).update(leased_until=at)

    def enable(self, *, at: datetime, by: str = "") -> int:
        """启用停用的;删除了的要先恢复。"""
        disabled = self.filter(status=DISABLED, deleted=False)
        changes = {"status": ENABLED, "refused_at": None}
        return _changed(disabled, Kind.ENABLED, changes, at=at, by=by)

    def disable(self, *, at: datetime, by: str = "") -> int:
        """停用启用的;占用着的,它的运行在一次续租之内就不再用。"""
        enabled = self.filter(status=ENABLED, deleted=False)
        return _changed(enabled, Kind.DISABLED, {"status": DISABLED}, at=at, by=by)

    def remove(self, *, at: datetime, by: str = "") -> int:
        """把没有删除的标记为删除。"""
        kept = self.filter(deleted=False)
        return _changed(kept, Kind.DELETED, {"deleted": True}, at=at, by=by)

    def restore(self, *, at: datetime, by: str = "") -> int:
        """取消删除,启用还是停用和删除以前一样。"""
        gone = self.filter(deleted=True)
        return _changed(gone, Kind.RESTORED, {"deleted": False}, at=at, by=by)

    @transaction.atomic
    def retire(self, token_id: int, *, reason: str, at: datetime, by: str = "") -> bool:
        """停用被服务商拒绝的 Token;已经停用的返回 False。

        `by` is who was asking, here and below.
        """
        enabled = self.filter(pk=token_id, status=ENABLED)
        refused = {"status": DISABLED, "refused_at": at}
        retired = bool(enabled.update(**refused, **_error(reason, at=at)))
        if retired:
            extra = {"event": "token.retired", "token": token_id}
            logger.warning("token %s retired: %s", token_id, reason, extra=extra)
            _record(token_id, Kind.REFUSED, reason, at=at, by=by)
        return retired

    def try_again(self, token_id: int, *, at: datetime) -> bool:
        """让被拒绝的 Token 再试一次:暂时启用;不是被拒绝而停用的返回 False。

        To be followed by `forgive` or `give_up_again`, whichever the answer tells.
        """
        refused = self.filter(pk=token_id, status=DISABLED, deleted=False)
        again = refused.exclude(refused_at=None)
        return bool(again.update(status=ENABLED, updated_at=at))

    @transaction.atomic
    def forgive(self, token_id: int, *, at: datetime, by: str = "") -> bool:
        """服务商又收下了被拒绝过的 Token:从此启用。"""
        tried = self.filter(pk=token_id, status=ENABLED).exclude(refused_at=None)
        forgiven = bool(tried.update(refused_at=None, updated_at=at))
        if forgiven:
            TokenEvent.objects.record([token_id], Kind.ENABLED, at=at, by=by)
        return forgiven

    def give_up_again(self, token_id: int, *, at: datetime) -> bool:
        """试了也没有结论:照旧停用。"""
        tried = self.filter(pk=token_id, status=ENABLED).exclude(refused_at=None)
        return bool(tried.update(status=DISABLED, updated_at=at))

    @transaction.atomic
    def note(self, token_id: int, *, reason: str, at: datetime, by: str = "") -> bool:
        """记下为什么没有用它,不停用;已经记着的返回 False。"""
        news = self.filter(pk=token_id).exclude(last_error=reason[:ERROR_LENGTH])
        noted = bool(news.update(**_error(reason, at=at)))
        if noted:
            _record(token_id, Kind.UNUSABLE, reason, at=at, by=by)
        return noted

    @transaction.atomic
    def rest(
        self,
        token_id: int,
        *,
        until: datetime,
        reason: str,
        at: datetime,
        by: str = "",
    ) -> bool:
        """让 Token 休息到 `until`;已经要休息得更久的返回 False。"""
        shorter = Q(resting_until=None) | Q(resting_until__lt=until)
        tokens = self.filter(shorter, pk=token_id)
        rests = bool(tokens.update(resting_until=until, **_error(reason, at=at)))
        if rests:
            TokenEvent.objects.record_rest(
                token_id, at=at, by=by, until=until, reason=reason[:ERROR_LENGTH]
            )
        return rests

    @transaction.atomic
    def shrink(
        self, token_id: int, *, batch: int, reason: str, at: datetime, by: str = ""
    ) -> bool:
        """记下一天里一次最多问 `batch` 只股票;已经不多于它的返回 False。

        What a person has set stays: after a day as many are tried again.
        """
        forgotten = Q(batch_learned=None) | Q(
            batch_learned_at__lte=at - quota.BATCH_LEARNED
        )
        larger = self.filter(
            forgotten | Q(batch_learned__gt=batch), pk=token_id, batch_size__gt=batch
        )
        learned = {"batch_learned": batch, "batch_learned_at": at}
        shrunk = bool(larger.update(**learned, **_error(reason, at=at)))
        if shrunk:
            extra = {"event": "token.batch_shrunk", "token": token_id}
            logger.warning("token %s: %s", token_id, reason, extra=extra)
            _record(token_id, Kind.SHRUNK, reason, at=at, by=by, batch=batch)
        return shrunk

    def learn(self, token_id: int, *, depth: dict[str, Any], revision: int) -> bool:
        """记下它看得到多久以前;套餐在此期间变过就不记,返回 False。"""
        same = self.filter(pk=token_id, plan_revision=revision)
        return bool(same.update(depth=depth))

    @transaction.atomic
    def exclude_market(
        self, token_id: int, *, market: str, reason: str, at: datetime, by: str = ""
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
        excluded = bool(tokens.update(**changes))
        if excluded:
            _record(token_id, Kind.LACKS_MARKET, reason, at=at, by=by, market=market)
        return excluded


def _check(owner: str) -> None:
    if not owner or len(owner) > OWNER_LENGTH:
        raise ValueError(f"an owner has 1 to {OWNER_LENGTH} characters")


def _until(at: datetime, seconds: int) -> datetime:
    return at + timedelta(seconds=seconds)


@transaction.atomic
def _changed(
    rows: ApiTokenQuerySet,
    kind: TokenEvent.Kind,
    changes: dict[str, Any],
    *,
    at: datetime,
    by: str,
) -> int:
    """Locked first, so that the events name exactly those that were changed."""
    ids = list(rows.select_for_update().values_list("pk", flat=True))
    count = rows.filter(pk__in=ids).update(**changes, updated_at=at)
    TokenEvent.objects.record(ids, kind, at=at, by=by)
    return count


def _record(
    token_id: int,
    kind: TokenEvent.Kind,
    reason: str,
    *,
    at: datetime,
    by: str,
    **details: Any,
) -> None:
    details["reason"] = reason[:ERROR_LENGTH]
    TokenEvent.objects.record([token_id], kind, at=at, by=by, **details)


def _error(reason: str, *, at: datetime) -> dict[str, Any]:
    return {"last_error": reason[:ERROR_LENGTH], "last_error_at": at}
