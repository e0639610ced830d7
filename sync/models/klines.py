"""K 线和覆盖范围。"""

from __future__ import annotations

from datetime import date
from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from common.fields import CodeField

from ..engine import markets
from ..engine.ports import Window
from .stocks import EARLIEST, LATEST, Stock


class KlineQuerySet(models.QuerySet["Kline"]):
    """K 线的查询。"""

    def of(
        self,
        stock: Stock,
        *,
        period: str,
        start: date | None = None,
        end: date | None = None,
    ) -> Self:
        """留下一只股票一种周期在两个交易日之间的 K 线,头尾都含。

        Without a start or an end there is no bound on that side. Read along the primary
        key.
        """
        first, last = (
            min(max(day, EARLIEST), LATEST)
            for day in (start or EARLIEST, end or LATEST)
        )
        since, until = markets.bounds(
            Window(first, last), market=stock.market, period=period
        )
        return self.filter(stock=stock, period=period, time__gte=since, time__lt=until)


class KlineValues(models.Model):
    """一根 K 线的值。"""

    open = models.DecimalField(_("open"), max_digits=20, decimal_places=8)
    high = models.DecimalField(_("high"), max_digits=20, decimal_places=8)
    low = models.DecimalField(_("low"), max_digits=20, decimal_places=8)
    close = models.DecimalField(_("close"), max_digits=20, decimal_places=8)
    volume = models.DecimalField(_("volume"), max_digits=22, decimal_places=4)
    turnover = models.DecimalField(_("turnover"), max_digits=26, decimal_places=4)

    class Meta:
        abstract = True


class Kline(KlineValues):
    """一根 K 线。

    Written by `storage.klines` only. `time` is UTC: the bar's start for intraday
    periods, midnight UTC of the trade date otherwise.
    """

    pk = models.CompositePrimaryKey("stock_id", "period", "time")
    # No constraint and no index of its own: the key begins with the stock, stocks are
    # never deleted for good, and checking a million rows one by one is slow.
    stock = models.ForeignKey(
        Stock, models.DO_NOTHING, db_constraint=False, db_index=False
    )
    period = CodeField(_("period"), max_length=5)
    time = models.DateTimeField(_("time"))
    open = models.DecimalField(_("open"), max_digits=20, decimal_places=8)
    high = models.DecimalField(_("high"), max_digits=20, decimal_places=8)
    low = models.DecimalField(_("low"), max_digits=20, decimal_places=8)
    close = models.DecimalField(_("close"), max_digits=20, decimal_places=8)
    volume = models.DecimalField(_("volume"), max_digits=22, decimal_places=4)
    turnover = models.DecimalField(_("turnover"), max_digits=26, decimal_places=4)

    objects = KlineQuerySet.as_manager()

    class Meta:
        db_table = "stk_kline"
        verbose_name = _("K-line")
        verbose_name_plural = _("K-lines")

    def __str__(self) -> str:
        return f"{self.stock_id} {self.period} {self.time}"


class Coverage(models.Model):
    """一只股票一种周期里已经取到、不会再变的日期。"""

    stock = models.ForeignKey(
        Stock, models.CASCADE, related_name="coverage", db_index=False
    )
    period = CodeField(_("period"), max_length=5)
    start_date = models.DateField(_("from"))
    end_date = models.DateField(_("to"))
    # A split's day: the next sync asks for the bars around it, and compares, even where
    # nothing is missing.
    compare_from = models.DateField(_("to be compared"), null=True, editable=False)

    class Meta:
        db_table = "stk_kline_coverage"
        verbose_name = _("coverage")
        verbose_name_plural = _("coverage")
        constraints = (
            models.UniqueConstraint(
                fields=["stock", "period"], name="uniq_stock_period"
            ),
        )

    def __str__(self) -> str:
        return f"{self.stock_id} {self.period} {self.start_date} – {self.end_date}"

    @property
    def window(self) -> Window:
        """返回覆盖的区间,头尾都含。"""
        return Window(self.start_date, self.end_date)
