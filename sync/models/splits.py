"""拆股和合股。"""

from __future__ import annotations

from datetime import date
from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from common.fields import CodeField

from .stocks import named

LONGEST_RATIO = 50


class SplitQuerySet(models.QuerySet["Split"]):
    """拆股的查询。"""

    def of_stock(self, text: str, *, market: str = "") -> Self:
        """留下一只股票的,代码怎么写都行。"""
        return self.filter(named(text, market=market))


class Split(models.Model):
    """一只股票的一次拆股或合股:从 `ex_date` 起,1 股变成 numerator/denominator 股。

    `ratio` is what the provider wrote. Which way it is meant is known (`written`) once
    the bars or a restatement show it, and otherwise taken to be as the others are.
    `adjusted` says whether the stored day bars before the date have been adjusted for
    it, None where they do not tell.
    """

    market = CodeField(_("market"), max_length=10)
    stock_code = CodeField(_("code"), max_length=20)
    ex_date = models.DateField(_("ex-date"))
    numerator = models.PositiveBigIntegerField(_("new shares"))
    denominator = models.PositiveBigIntegerField(_("old shares"))
    ratio = models.CharField(_("as written"), max_length=LONGEST_RATIO)
    written = CodeField(_("read as"), max_length=10, blank=True, default="")
    adjusted = models.BooleanField(_("adjusted"), null=True)
    seen_at = models.DateTimeField(_("seen"))
    judged_at = models.DateTimeField(_("compared with the K-lines"), null=True)

    objects = SplitQuerySet.as_manager()

    class Meta:
        db_table = "stk_split"
        verbose_name = _("split")
        verbose_name_plural = _("splits")
        ordering = ("-ex_date", "market", "stock_code")
        constraints = (
            models.UniqueConstraint(
                fields=["market", "stock_code", "ex_date"], name="uniq_split"
            ),
        )
        indexes = (models.Index(fields=["ex_date"], name="idx_split_date"),)

    def __str__(self) -> str:
        return f"{self.market} {self.stock_code} {self.ex_date}"

    @property
    def key(self) -> tuple[str, date]:
        """返回市场里的键。"""
        return self.stock_code, self.ex_date
