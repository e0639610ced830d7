"""失败记录。"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Self

from django.db import models, transaction
from django.db.models.functions import Coalesce, Now
from django.utils.translation import gettext_lazy as _

from tokens.fields import CodeField

from ..engine.ports import Failure
from .runs import SyncRun
from .stocks import Stock

REASON_LENGTH = 500


class FailureStatus(models.IntegerChoices):
    """失败记录的状态。"""

    WAITING = 0, _("waiting")
    DONE = 1, _("retried successfully")
    GIVEN_UP = 2, _("given up")


class SyncFailureQuerySet(models.QuerySet["SyncFailure"]):
    """失败记录的查询。"""

    def waiting(
        self,
        *,
        stock_code: str = "",
        market: str = "",
        max_retry_count: int | None = None,
    ) -> Self:
        """等待补拉的记录;次数的列可以是 NULL,那算 0 次。"""
        rows = self.filter(status=FailureStatus.WAITING)
        if stock_code:
            rows = rows.filter(stock_code=stock_code)
        if market:
            rows = rows.filter(market=market)
        if max_retry_count is not None:
            rows = rows.annotate(tried=Coalesce("retry_count", 0))
            rows = rows.filter(tried__lt=max_retry_count)
        return rows

    def record(
        self, failures: Iterable[Failure], *, run_id: int | None, at: datetime
    ) -> None:
        """记录失败;同一股票、周期和区间已有等待的记录时只更新原因。

        One transaction of its own. The stocks' rows are locked first, in one order, so
        that two runs recording the same failure at once make one row.
        """
        new = {_key(failure): failure for failure in failures}
        stock_ids = {failure.task.stock_id for failure in new.values()}
        with transaction.atomic():
            stocks = Stock.objects.select_for_update().order_by("pk")
            list(stocks.filter(pk__in=stock_ids).values_list("pk"))
            codes = {failure.task.code for failure in new.values()}
            for row in self.waiting().filter(stock_code__in=codes):
                if failure := new.pop(row.key, None):
                    self.filter(pk=row.pk).update(
                        failure_reason=failure.text[:REASON_LENGTH],
                        reason_class=failure.reason,
                        run_id=run_id,
                        update_time=at,
                    )
            self.bulk_create(
                _row(failure, run_id=run_id, at=at) for failure in new.values()
            )


class SyncFailure(models.Model):
    """一只股票没有取到的一个区间(计划里的 stk_sync_failure)。

    Other programs may insert rows that name only the plan's columns: everything else
    has a default in the database, and numbers may be NULL.
    """

    stock_code = models.CharField(_("stock"), max_length=20)
    start_date = models.DateField(_("from"))
    end_date = models.DateField(_("to"))
    failure_reason = models.CharField(  # noqa: DJ001 - the plan's column may be NULL
        _("reason"), max_length=REASON_LENGTH, null=True, blank=True
    )
    retry_count = models.IntegerField(_("attempts"), null=True, db_default=0)
    status = models.SmallIntegerField(
        _("status"),
        choices=FailureStatus.choices,
        null=True,
        db_default=FailureStatus.WAITING,
    )
    last_retry_time = models.DateTimeField(_("last retry"), null=True, blank=True)
    create_time = models.DateTimeField(_("recorded"), null=True, db_default=Now())
    update_time = models.DateTimeField(_("changed"), null=True, db_default=Now())
    market = CodeField(_("market"), max_length=10, blank=True, db_default="")
    period = CodeField(_("period"), max_length=5, db_default="day")
    reason_class = CodeField(_("kind"), max_length=20, blank=True, db_default="")
    run = models.ForeignKey(
        SyncRun,
        models.SET_NULL,
        verbose_name=_("run"),
        null=True,
        db_constraint=False,
        db_index=False,
    )

    objects = SyncFailureQuerySet.as_manager()

    class Meta:
        db_table = "stk_sync_failure"
        verbose_name = _("failure")
        verbose_name_plural = _("failures")
        ordering = ("-create_time", "-id")
        indexes = (
            models.Index(fields=["stock_code"], name="idx_stock_code"),
            models.Index(fields=["status"], name="idx_status"),
            models.Index(fields=["create_time"], name="idx_create_time"),
        )

    def __str__(self) -> str:
        return f"{self.market} {self.stock_code} {self.start_date} – {self.end_date}"

    @property
    def key(self) -> tuple[str, str, str, date, date]:
        """等待中的记录按它去重。"""
        return (
            self.market,
            self.stock_code,
            self.period,
            self.start_date,
            self.end_date,
        )


def _key(failure: Failure) -> tuple[str, str, str, date, date]:
    task, window = failure.task, failure.window
    return task.market, task.code, task.period, window.start, window.end


def _row(failure: Failure, *, run_id: int | None, at: datetime) -> SyncFailure:
    task, window = failure.task, failure.window
    return SyncFailure(
        stock_code=task.code,
        market=task.market,
        period=task.period,
        start_date=window.start,
        end_date=window.end,
        failure_reason=failure.text[:REASON_LENGTH],
        reason_class=failure.reason,
        retry_count=0,
        status=FailureStatus.WAITING,
        run_id=run_id,
        create_time=at,
        update_time=at,
    )
