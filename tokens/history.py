"""Token 的历史:每天请求多少次、多少次没有得到回答;身上发生过什么。

Written where accounts are settled and verdicts are passed, in their transactions, and
never for a single call. What is known of a value are its last four characters, which
the token's own row tells. Kept for TOKEN_HISTORY_DAYS.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from common.fields import CodeField
from common.upserts import unique_fields

from . import quota

# Rests that follow each other within this time are one event with a count: a strict
# plan sends each of its tokens to rest every minute.
ONE_REST = timedelta(hours=1)


class TokenDayQuerySet(models.QuerySet["TokenDay"]):
    """Token 的日子:写、找、清理。"""

    def write(self, days: Iterable[TokenDay]) -> None:
        """写下这些日子,一条语句;已经有的换成新的数。

        Whoever writes holds the lock of the tokens' rows, so that an older figure never
        comes after a newer one.
        """
        rows = [day for day in days if day.calls or day.errors]
        self.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=unique_fields("token", "day"),
            update_fields=["calls", "errors"],
        )

    def since(self, day: date, *, tokens: Collection[int]) -> TokenDayQuerySet:
        """这些 Token 从这一天(含)起的日子,旧的在前。"""
        return self.filter(token__in=tokens, day__gte=day).order_by("day")


class TokenDay(models.Model):
    """一个 Token 的一天:算给它的请求数,其中没有得到回答的。

    Days are those of TOKEN_DAY_TIME_ZONE. `calls` are the calls made and those that a
    crash left in doubt, which count as made; `errors` those that the provider refused
    to the token or did not answer. Today's stands here once the token was given back;
    what is newer is in the token's own row.
    """

    token = models.ForeignKey(
        "tokens.ApiToken", models.CASCADE, related_name="days", verbose_name=_("token")
    )
    day = models.DateField(_("day"))
    calls = models.PositiveIntegerField(_("calls"), default=0)
    errors = models.PositiveIntegerField(_("errors"), default=0)

    objects = TokenDayQuerySet.as_manager()

    class Meta:
        db_table = "stk_token_day"
        verbose_name = _("day of a token")
        verbose_name_plural = _("days of tokens")
        constraints = (
            models.UniqueConstraint(fields=["token", "day"], name="uniq_token_day"),
        )
        indexes = (models.Index(fields=["day"], name="idx_token_day"),)

    def __str__(self) -> str:
        return f"{self.token_id} {self.day}: {self.calls}"


class TokenEventQuerySet(models.QuerySet["TokenEvent"]):
    """Token 身上的事:记下、找最近的、清理。"""

    def record(
        self,
        tokens: Iterable[int],
        kind: TokenEvent.Kind,
        *,
        at: datetime,
        by: str = "",
        **details: Any,
    ) -> None:
        """给每个 Token 记下一件事。

        `by` is a person's name or a lease's owner, blank where neither is known;
        `details` are plain values and never a token's.
        """
        self.bulk_create(
            self.model(token_id=pk, kind=kind, since=at, at=at, who=by, details=details)
            for pk in tokens
        )

    def record_rest(
        self, token: int, *, at: datetime, by: str, until: datetime, reason: str
    ) -> None:
        """记下它要休息;一小时之内接连的休息只算一件,记着几次。"""
        details = {"until": until.isoformat(), "reason": reason}
        kind = TokenEvent.Kind.RESTED
        lately = self.filter(token=token, kind=kind, since__gt=at - ONE_REST)
        newest = lately.order_by("-at", "-pk").first()
        if newest is None:
            self.record([token], kind, at=at, by=by, **details)
            return
        again = {"count": F("count") + 1, "details": details}
        self.filter(pk=newest.pk).update(**again, at=at, who=by)


class TokenEvent(models.Model):
    """一个 Token 身上发生的一件事:什么,谁,什么时候。

    `details` hold what the kind needs, to be put into words when it is shown: the
    provider's `reason`, `until` when it rests, the `columns` that were edited, …
    `count` times it happened between `since` and `at`.
    """

    class Kind(models.TextChoices):
        """事情的种类。"""

        REFUSED = "refused", _("refused by the provider")
        LACKS_MARKET = "lacks_market", _("plan lacks a market")
        UNUSABLE = "unusable", _("could not be used")
        RESTED = "rested", _("sent to rest")
        SHRUNK = "shrunk", _("fewer stocks per call")
        CHECKED = "checked", _("checked")
        CREATED = "created", _("added")
        EDITED = "edited", _("edited")
        REPLACED = "replaced", _("value replaced")
        ENABLED = "enabled", _("enabled")
        DISABLED = "disabled", _("disabled")
        DELETED = "deleted", _("deleted")
        RESTORED = "restored", _("restored")

    token = models.ForeignKey(
        "tokens.ApiToken",
        models.CASCADE,
        related_name="events",
        verbose_name=_("token"),
    )
    kind = CodeField(_("kind"), max_length=20, choices=Kind.choices)
    who = CodeField(_("by"), max_length=150, blank=True)
    details = models.JSONField(_("details"), default=dict, blank=True)
    count = models.PositiveIntegerField(_("times"), default=1)
    since = models.DateTimeField(_("since"))
    at = models.DateTimeField(_("at"))

    objects = TokenEventQuerySet.as_manager()

    class Meta:
        db_table = "stk_token_event"
        verbose_name = _("event of a token")
        verbose_name_plural = _("events of tokens")
        indexes = (
            models.Index(fields=["token", "at"], name="idx_token_event"),
            models.Index(fields=["at"], name="idx_token_event_at"),
        )

    def __str__(self) -> str:
        return f"{self.token_id} {self.kind} {self.at:%Y-%m-%d %H:%M}"


def forget(*, at: datetime) -> int:
    """删掉早于 TOKEN_HISTORY_DAYS 的日子和事,返回删了多少行。"""
    before = at - timedelta(days=settings.TOKEN_HISTORY_DAYS)
    days = TokenDay.objects.filter(day__lt=quota.day_of(before))
    events = TokenEvent.objects.filter(at__lt=before)
    return int(days.delete()[0]) + int(events.delete()[0])
