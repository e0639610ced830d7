"""服务商什么也没有的股票:说了几天没有,什么时候起算作没有了。"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.fields import CodeField

from ..engine.silence import Nothing
from .stocks import Stock

# A stock that is gone is asked for once a week: a little less than seven days, for the
# daily run is never at the same minute.
ASKED_AGAIN = timedelta(days=6, hours=12)


class SilentStockQuerySet(models.QuerySet["SilentStock"]):
    """没有回音的股票的查询。"""

    def of(self, stocks: Iterable[int], period: str) -> Self:
        """留下这些股票、这种周期的。"""
        return self.filter(stock_id__in=stocks, period=period)

    def gone(self, period: str = "") -> Self:
        """留下没有了的:这种周期没有了,或者服务商连代码也不认识。

        Without a period those of which there are no day bars any more.
        """
        about = Q(period=period or "day") | Q(kind=Nothing.UNKNOWN)
        return self.filter(about, gone_at__isnull=False)


class SilentStock(models.Model):
    """一只股票一种周期,服务商接连说没有。

    `kind` is what it says; `answers` days agree, from `since` to `day`, whose answer is
    `pending` until it is known what the day was worth. `gone_at` is set once the rule
    of `engine.silence` says so. The row goes when there is a bar again.
    """

    stock = models.ForeignKey(
        Stock, models.CASCADE, related_name="silences", db_index=False
    )
    period = CodeField(_("period"), max_length=5)
    kind = CodeField(_("kind"), max_length=20)
    answers = models.PositiveIntegerField(_("days that agree"), default=0)
    since = models.DateField(_("since"))
    day = models.DateField(_("last answer"))
    pending = models.BooleanField(default=True)
    asked_at = models.DateTimeField(_("asked"))
    gone_at = models.DateTimeField(_("gone since"), null=True)

    objects = SilentStockQuerySet.as_manager()

    class Meta:
        db_table = "stk_silent_stock"
        verbose_name = _("silent stock")
        verbose_name_plural = _("silent stocks")
        constraints = (
            models.UniqueConstraint(
                fields=["stock", "period"], name="uniq_silent_stock_period"
            ),
        )

    def __str__(self) -> str:
        return f"{self.stock_id} {self.period} {self.kind}"

    @property
    def asked_next(self) -> datetime:
        """返回下一次什么时候问。"""
        return self.asked_at + ASKED_AGAIN

    def answered(self, kind: Nothing, *, since: date, day: date, at: datetime) -> None:
        """记下又一个回答;不保存。说法变了就从头数起。"""
        if self.gone_at is None:
            if kind != self.kind:
                self.kind, self.answers, self.since = kind, 0, since
            self.pending |= day != self.day
        self.day, self.asked_at = day, at
