"""没有存下来的 K 线,留着给人看。"""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from common.fields import CodeField

from .runs import SyncRun
from .stocks import Stock

REASON_LENGTH, SENT_LENGTH = 100, 250
# The time of one whose own cannot be read. None in a unique key would be no key, and
# the table would grow with each time that it comes.
NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class RejectedBar(models.Model):
    """一根不能用、没有存下来的 K 线:服务商给的数字,和为什么不能用。

    One row a stock, period and time, whenever it comes again; gone once a sound bar is
    stored there. Its stock counts as fetched: a failure that waits beside it makes the
    next retry ask for the bar once more, and nobody after that.
    """

    stock = models.ForeignKey(
        Stock, models.DO_NOTHING, db_constraint=False, db_index=False
    )
    period = CodeField(_("period"), max_length=5)
    time = models.DateTimeField(_("time"))
    sent = models.CharField(_("as it was sent"), max_length=SENT_LENGTH, blank=True)
    reason = models.CharField(_("reason"), max_length=REASON_LENGTH)
    seen_at = models.DateTimeField(_("last seen"))
    run = models.ForeignKey(
        SyncRun,
        models.SET_NULL,
        verbose_name=_("run"),
        related_name="+",
        null=True,
        db_constraint=False,
    )

    class Meta:
        db_table = "stk_rejected_bar"
        verbose_name = _("rejected bar")
        verbose_name_plural = _("rejected bars")
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=["stock", "period", "time"], name="uniq_rejected_bar"
            ),
        )

    def __str__(self) -> str:
        return f"{self.stock_id} {self.period} {self.time}"
