"""告警:哪条规则,对什么,从什么时候到什么时候;每个接收方各自听到了哪一步。"""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from common.fields import CodeField
from common.messages import Message, MessageField


class Rule(models.TextChoices):
    """什么情况要告诉人。"""

    MARKET_INCOMPLETE = "market_incomplete", _("market not complete in time")
    TOKEN_REFUSED = "token_refused", _("token refused")
    WORKER_GONE = "worker_gone", _("no worker")
    QUOTA_SHORT = "quota_short", _("quota forecast short")
    RUN_FAILED = "run_failed", _("run failed")
    SERIES_FLAGGED = "series_flagged", _("series waits for a decision")


class AlertQuerySet(models.QuerySet["Alert"]):
    """告警的查询。"""

    def open(self) -> Self:
        """留下还没有过去的。"""
        return self.filter(open=True)

    def close(self, pk: int, *, at: datetime) -> bool:
        """宣布一个告警过去了;别的机器先宣布了的返回 False。"""
        return bool(self.open().filter(pk=pk).update(open=None, over_at=at))


class Alert(models.Model):
    """一件要告诉人的事,从出现到过去。

    Of a rule and an object one row at most is `open`; NULL is not open, for in a unique
    key NULLs differ. `seen_at` is when the rule last found it.
    """

    rule = CodeField(_("rule"), max_length=20, choices=Rule.choices)
    object = CodeField(_("object"), max_length=100, blank=True, default="")
    open = models.BooleanField(null=True, default=True, editable=False)
    text = MessageField(_("alert"))
    since = models.DateTimeField(_("since"))
    seen_at = models.DateTimeField(_("last seen"))
    over_at = models.DateTimeField(_("over"), null=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        db_table = "stk_alert"
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=["open", "rule", "object"], name="uniq_open_alert"
            ),
        )

    def __str__(self) -> str:
        return str(self.text)


class AlertDeliveryQuerySet(models.QuerySet["AlertDelivery"]):
    """告警投递的查询。"""

    def due(self, *, at: datetime) -> Self:
        """留下现在该发的。"""
        return self.filter(next_at__lte=at)

    def claim(self, row: AlertDelivery, *, until: datetime) -> bool:
        """抢下一次投递;别的机器先抢到的返回 False。

        Who dies with it leaves it to be sent once more after `until`.
        """
        seen = self.filter(pk=row.pk, next_at=row.next_at)
        claimed = bool(seen.update(next_at=until))
        row.next_at = until if claimed else row.next_at
        return claimed


class AlertDelivery(models.Model):
    """一个接收方听到了一个告警的哪一步:出现了,过去了。

    `receiver` stands for its address, which may be a secret; `label` may be shown.
    `next_at` is when to try next, None where nothing is to be told just now.
    """

    alert = models.ForeignKey(
        Alert, models.CASCADE, related_name="deliveries", db_constraint=False
    )
    receiver = CodeField(max_length=40)
    label = models.CharField(_("receiver"), max_length=200)
    told_at = models.DateTimeField(_("told"), null=True)
    over_told_at = models.DateTimeField(_("over told"), null=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_at = models.DateTimeField(_("next try"), null=True, db_index=True)
    given_up_at = models.DateTimeField(_("given up"), null=True)
    error = MessageField(_("error"), blank=True, default=Message)

    objects = AlertDeliveryQuerySet.as_manager()

    class Meta:
        db_table = "stk_alert_delivery"
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints = (
            models.UniqueConstraint(
                fields=["alert", "receiver"], name="uniq_alert_delivery"
            ),
        )

    def __str__(self) -> str:
        return f"{self.alert_id} {self.label}"
