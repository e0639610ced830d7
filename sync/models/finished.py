"""一次运行做完了、却还会再遇到的股票。"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from common.fields import CodeField

from ..engine.ports import Task
from .runs import SyncRun
from .stocks import Stock


class FinishedQuerySet(models.QuerySet["Finished"]):
    """做完了的股票的查询。"""

    def of(self, run_id: int | None) -> Self:
        """留下这次运行做完了的股票。"""
        return self.filter(run_id=run_id)

    def note(self, tasks: Iterable[Task], *, run_id: int, reason: str = "") -> None:
        """记下做完的任务;再记一遍什么也不改变。"""
        self.bulk_create(
            [
                Finished(
                    run_id=run_id,
                    stock_id=task.stock_id,
                    period=task.period,
                    reason=reason,
                )
                for task in sorted(tasks, key=lambda task: task.stock_id)
            ],
            ignore_conflicts=True,
        )


class Finished(models.Model):
    """一次运行做完的一只股票:取到了,或者因为 `reason` 取不到。

    Kept until the run ends, and only of stocks that would be met again when it is taken
    up again, by another process or on another day: usually coverage tells what is done.
    """

    # No constraint: it would lock the run's row whenever klines are written.
    run = models.ForeignKey(
        SyncRun,
        models.CASCADE,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    stock = models.ForeignKey(
        Stock, models.DO_NOTHING, db_constraint=False, db_index=False
    )
    period = CodeField(_("period"), max_length=5)
    reason = CodeField(_("kind"), max_length=20, blank=True, default="")

    objects = FinishedQuerySet.as_manager()

    class Meta:
        db_table = "stk_sync_finished"
        verbose_name = _("finished stock")
        verbose_name_plural = _("finished stocks")
        constraints = (
            models.UniqueConstraint(
                fields=["run", "stock", "period"], name="uniq_run_stock_period"
            ),
        )

    def __str__(self) -> str:
        return f"run {self.run_id}: {self.stock_id} {self.period}"
