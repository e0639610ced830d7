"""从哪根 K 线起变了,什么时候变的:抄本照着它更新。"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from common.fields import CodeField

from .stocks import Stock


class SeriesChange(models.Model):
    """一只股票一种周期在一天里的改变:最早从哪根起,最后在什么时候。

    Written by `storage.changes` in the transaction that writes, corrects or removes the
    bars. Whoever has a copy made after `changed_at` has these changes; who has an older
    one takes all bars from `since` on again.
    """

    pk = models.CompositePrimaryKey("stock_id", "period", "day")
    stock = models.ForeignKey(
        Stock, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    period = CodeField(_("period"), max_length=5)
    day = models.DateField(_("day"))
    since = models.DateTimeField(_("since"))
    changed_at = models.DateTimeField(_("changed"))

    class Meta:
        db_table = "stk_series_change"
        verbose_name = _("change of a series")
        verbose_name_plural = _("changes of series")
        indexes = (
            models.Index(fields=["period", "changed_at"], name="idx_series_changed"),
            models.Index(fields=["changed_at"], name="idx_series_changed_at"),
        )

    def __str__(self) -> str:
        return f"{self.stock_id} {self.period} {self.since}"
