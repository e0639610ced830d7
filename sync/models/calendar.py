"""市场的日历:服务商怎样说,核对时看到了什么,哪些股票什么时候停牌。"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Self

from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from common.fields import CodeField

from ..engine.ports import Window
from .stocks import Stock


class MarketCalendar(models.Model):
    """服务商所说的一个市场的日历,每个市场一行。

    `closed` are the dates of its list of holidays, as YYYY-MM-DD; `half` closing times
    at the exchange as HH:MM by date, empty where none is told; `told` says by date what
    the market's status was: a session or not. `tried_at` is when it was last asked,
    `status_day` the last day of which it told the status, and `holidays_at` when it
    last listed the holidays.
    """

    market = CodeField(_("market"), max_length=10, unique=True)
    closed = models.JSONField(default=list)
    half = models.JSONField(default=dict)
    told = models.JSONField(default=dict)
    tried_at = models.DateTimeField(null=True)
    status_day = models.DateField(null=True)
    holidays_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "stk_market_calendar"
        verbose_name = _("market calendar")
        verbose_name_plural = _("market calendars")

    def __str__(self) -> str:
        return str(self.market)


class MarketDayQuerySet(models.QuerySet["MarketDay"]):
    """市场日的查询。"""

    def of(self, market: str, period: str, *, window: Window) -> Self:
        """留下一个市场一种周期在区间里的,旧的在前。"""
        rows = self.filter(market=market, period=period)
        inside = rows.filter(day__range=(window.start, window.end))
        return inside.order_by("day")

    def touch(
        self, market: str, period: str, days: Iterable[date], *, at: datetime
    ) -> int:
        """记下这些日子又写过:在下一次核对以前不再作数,返回几行。"""
        rows = self.filter(market=market, period=period, day__in=list(days))
        return rows.update(touched_at=at)

    def stale(self) -> Self:
        """留下核对以后又写过的。"""
        return self.filter(touched_at__gt=F("audited_at"))


class MarketDay(models.Model):
    """一个市场、一种周期、一天里核对出来的 K 线根数。

    `expected` is the sum of `present`, `suspended` and `missing`; `waiting` of the
    missing belong to failures that wait. A day on which nothing is expected is no
    session, whatever the calendar says. `audited_at` is when the audit began to look,
    `touched_at` when a run last wrote to the day without counting it.
    """

    market = CodeField(_("market"), max_length=10)
    period = CodeField(_("period"), max_length=5)
    day = models.DateField(_("day"))
    expected = models.PositiveIntegerField(_("expected"))
    present = models.PositiveIntegerField(_("present"))
    suspended = models.PositiveIntegerField(_("suspended"))
    missing = models.PositiveIntegerField(_("missing"))
    waiting = models.PositiveIntegerField(_("waiting"), default=0)
    audited_at = models.DateTimeField(_("audited"))
    touched_at = models.DateTimeField(_("written to"), null=True)

    objects = MarketDayQuerySet.as_manager()

    class Meta:
        db_table = "stk_market_day"
        verbose_name = _("market day")
        verbose_name_plural = _("market days")
        constraints = (
            models.UniqueConstraint(
                fields=["market", "period", "day"], name="uniq_market_day"
            ),
        )

    def __str__(self) -> str:
        return f"{self.market} {self.period} {self.day}"

    @property
    def current_since(self) -> datetime | None:
        """返回什么时候核对的;核对以后又写过的返回 None。"""
        stale = self.touched_at and self.touched_at > self.audited_at
        return None if stale else self.audited_at


class Suspension(models.Model):
    """一只股票没有交易的一段日子,头尾都含,从服务商的回答里学到的。

    `source`: `gap` where an answer had bars around it and none inside, `zeros` where
    the provider said that nothing was traded, `quote` where its quote says so.
    """

    stock = models.ForeignKey(
        Stock, models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    period = CodeField(_("period"), max_length=5)
    start_date = models.DateField(_("from"))
    end_date = models.DateField(_("to"))
    source = models.CharField(_("source"), max_length=10)

    class Meta:
        db_table = "stk_suspension"
        verbose_name = _("suspension")
        verbose_name_plural = _("suspensions")
        constraints = (
            models.UniqueConstraint(
                fields=["stock", "period", "start_date"], name="uniq_suspension"
            ),
        )

    def __str__(self) -> str:
        return f"{self.stock_id} {self.start_date} – {self.end_date}"

    @property
    def window(self) -> Window:
        """返回没有交易的区间,头尾都含。"""
        return Window(self.start_date, self.end_date)
