"""活动记录:谁,做了什么,对什么做的,经由哪条路。"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.activity import Actor, Way, What
from common.fields import CodeField

TEXT_LENGTH = 200
WHO_LENGTH = 150


class Verb(models.TextChoices):
    """做了的是哪一种事。"""

    RUN_STARTED = "run.started", _("started a run")
    RUN_RETRIED = "run.retried", _("started a retry")
    RUN_CANCELLED = "run.cancelled", _("cancelled")
    FAILURES_GIVEN_UP = "failures.given_up", _("gave up")
    FAILURES_REOPENED = "failures.reopened", _("reopened")
    FAILURES_ACCEPTED = "failures.accepted", _("accepted")
    FAILURES_SNOOZED = "failures.snoozed", _("put off")
    FAILURES_NOTED = "failures.noted", _("wrote a note")
    DAYS_ACCEPTED = "days.accepted", _("accepted as suspended")
    STOCKS_LOADED = "stocks.loaded", _("loaded the list of stocks")
    STOCKS_IMPORTED = "stocks.imported", _("imported stocks")
    STOCK_CHANGED = "stock.changed", _("edited")
    HISTORY_KEPT = "history.kept", _("kept the stored history")
    HISTORY_TAKEN = "history.taken", _("took over the provider's history")
    MARKET_AUDITED = "market.audited", _("asked for an audit")
    KLINES_EXPORTED = "klines.exported", _("exported K-lines")
    TOKENS_IMPORTED = "tokens.imported", _("imported tokens")
    TOKEN_ADDED = "token.added", _("added")
    TOKEN_CHANGED = "token.changed", _("edited")
    TOKEN_ENABLED = "token.enabled", _("enabled")
    TOKEN_DISABLED = "token.disabled", _("disabled")
    TOKEN_REMOVED = "token.removed", _("deleted")
    TOKEN_RESTORED = "token.restored", _("restored")
    TOKEN_CHECKED = "token.checked", _("checked")
    KEY_CREATED = "key.created", _("created the key")
    KEY_LIMITED = "key.limited", _("set the limit")
    KEY_REVOKED = "key.revoked", _("revoked")
    SCHEDULE_PAUSED = "schedule.paused", _("paused")
    SCHEDULE_RESUMED = "schedule.resumed", _("resumed")
    SCHEDULE_RUN = "schedule.run", _("asked to run now")
    ALERTS_TESTED = "alerts.tested", _("sent a test alert")
    USER_ADDED = "user.added", _("added")
    USER_CHANGED = "user.changed", _("edited")
    USER_DELETED = "user.deleted", _("deleted")
    SIGNED_IN = "user.signed_in", _("signed in")
    SIGNED_OUT = "user.signed_out", _("signed out")
    UNLOCKED = "user.unlocked", _("unlocked")
    REFUSED = "user.refused", _("was refused: wrong name or password")


class ActivityQuerySet(models.QuerySet["Activity"]):
    """活动记录的查询。"""

    def of(self, what: What) -> Self:
        """留下对这个对象(或者这个名字)做的事,新的在前。"""
        kind, pk, text = _named(what)
        named = {"object_id": pk} if pk is not None else {"object_text": text}
        return self.filter(object_type=kind, **named)

    def of_names(self, names: Iterable[str]) -> Self:
        """留下对有名字而没有编号的这几样做的事,新的在前。"""
        return self.filter(object_type="", object_id=None, object_text__in=list(names))

    def of_the_work(self) -> Self:
        """留下工作上的事:谁登录了不算。"""
        return self.exclude(way=Way.SIGN_IN)


class Activity(models.Model):
    """做了的一件事。

    It outlives what it was about: the object is named, not pointed to. `values` and
    the verb are put into words when they are shown.
    """

    at = models.DateTimeField(_("when"), default=timezone.now, db_index=True)
    who = CodeField(_("who"), max_length=WHO_LENGTH, blank=True, db_index=True)
    way = CodeField(_("by way of"), max_length=10, choices=Way.choices)
    through = models.CharField(max_length=TEXT_LENGTH, blank=True)
    verb = CodeField(_("did what"), max_length=30)
    object_type = CodeField(max_length=30, blank=True)
    object_id = models.BigIntegerField(null=True)
    object_text = models.CharField(_("to what"), max_length=TEXT_LENGTH, blank=True)
    values = models.JSONField(default=dict, blank=True)

    objects = ActivityQuerySet.as_manager()

    class Meta:
        db_table = "stk_activity"
        verbose_name = _("action")
        verbose_name_plural = _("actions")
        ordering = ("-id",)
        indexes = (
            models.Index(
                fields=["object_type", "object_id"], name="idx_activity_object"
            ),
            models.Index(fields=["way"], name="idx_activity_way"),
        )

    def __str__(self) -> str:
        return f"{self.who} {self.verb} {self.object_text}"


def record(
    *,
    actor: Actor,
    verb: str,
    what: What,
    values: dict[str, Any],
    **_signal: Any,
) -> None:
    """记下 `common.activity.note` 报告的一件事,在报告者的事务里。"""
    kind, pk, text = _named(what)
    Activity.objects.create(
        who=str(actor.who)[:WHO_LENGTH],
        way=actor.way,
        through=actor.through[:TEXT_LENGTH],
        verb=Verb(verb),
        object_type=kind,
        object_id=pk,
        object_text=text[:TEXT_LENGTH],
        values={name: value for name, value in values.items() if value is not None},
    )


def _named(what: What) -> tuple[str, int | None, str]:
    if isinstance(what, str):
        return "", None, what
    kind = str(what._meta.model_name)  # noqa: SLF001  # public, whatever its name says
    return (kind, None, "") if isinstance(what, type) else (kind, what.pk, str(what))
