"""服务商改过的历史:改正的 K 线,换了口径的序列,还没有换上去的新序列。"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from common.fields import CodeField
from common.messages import Message, MessageField

from .klines import KlineValues
from .runs import SyncRun
from .stocks import Stock

Key = tuple[int, str]  # a stock's number and a period


class Revision(models.Model):
    """一根被改正的 K 线:旧的值和新的值;没有新值就是服务商收回了。"""

    stock = models.ForeignKey(
        Stock, models.DO_NOTHING, db_constraint=False, db_index=False
    )
    period = CodeField(_("period"), max_length=5)
    time = models.DateTimeField(_("time"))
    old = models.JSONField(_("before"))
    new = models.JSONField(_("after"), null=True)
    seen_at = models.DateTimeField(_("seen"))
    run = models.ForeignKey(
        SyncRun,
        models.SET_NULL,
        verbose_name=_("run"),
        related_name="+",
        null=True,
        db_constraint=False,
    )

    class Meta:
        db_table = "stk_kline_revision"
        verbose_name = _("revision")
        verbose_name_plural = _("revisions")
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["stock", "period", "time"], name="idx_revised_bar"),
        )

    def __str__(self) -> str:
        return f"{self.stock_id} {self.period} {self.time}"


class RestatementState(models.TextChoices):
    """一个序列的历史变了以后,到了哪一步。"""

    WAITING = "waiting", _("to be fetched anew")
    FLAGGED = "flagged", _("a person decides")
    DONE = "done", _("fetched anew")
    KEPT = "kept", _("kept as it was")


class RestatementQuerySet(models.QuerySet["Restatement"]):
    """换了口径的序列的查询。"""

    def open(self) -> Self:
        """留下还没有了结的。"""
        return self.filter(open=True)

    def flagged(self) -> Self:
        """留下等人来决定的。"""
        return self.open().filter(state=RestatementState.FLAGGED)

    def in_force(self, stock_ids: Collection[int]) -> dict[Key, Restatement]:
        """每个序列现在要照着做的:没有了结的,或者最后一次决定了保留的。"""
        kept = models.Q(open=True) | models.Q(state=RestatementState.KEPT)
        rows = self.filter(kept, stock_id__in=stock_ids).order_by("open", "pk")
        # NULL comes first in both databases, so what is open comes last and wins.
        return {row.key: row for row in rows}

    def note(self, rows: Collection[Restatement]) -> None:
        """记下新的;一个序列已经有没了结的,就什么也不改变。"""
        ordered = sorted(rows, key=lambda row: row.key)
        self.bulk_create(ordered, ignore_conflicts=True)


class Restatement(models.Model):
    """一个序列的历史变了:换了口径要整个重新取,或者认不出来要人决定。

    Of a stock and period one row at most is `open`; NULL is not open, for in a unique
    key NULLs differ. `price_factor` and `volume_factor` multiply what was stored; None
    where there is no single one. `kept_until` is the last day that was decided to stay
    as it is: it is compared no more. `attempts` are answers that could not replace the
    series; what a person takes over replaces it whatever it holds. `taken_by` is the
    shard whose bars are staged.
    """

    stock = models.ForeignKey(
        Stock, models.DO_NOTHING, db_constraint=False, db_index=False
    )
    period = CodeField(_("period"), max_length=5)
    state = CodeField(_("state"), max_length=10, choices=RestatementState.choices)
    open = models.BooleanField(null=True, default=True, editable=False)
    price_factor = models.DecimalField(
        _("factor of prices"), max_digits=24, decimal_places=10, null=True
    )
    volume_factor = models.DecimalField(
        _("factor of volumes"), max_digits=24, decimal_places=10, null=True
    )
    reason = MessageField(_("reason"), blank=True, default=Message)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    taken_by = models.BigIntegerField(null=True, editable=False)
    seen_at = models.DateTimeField(_("seen"))
    ended_at = models.DateTimeField(_("ended"), null=True)
    kept_until = models.DateField(_("kept until"), null=True)
    decided_by = models.CharField(
        _("decided by"), max_length=150, blank=True, default=""
    )
    run = models.ForeignKey(
        SyncRun,
        models.SET_NULL,
        verbose_name=_("run"),
        related_name="+",
        null=True,
        db_constraint=False,
    )

    objects = RestatementQuerySet.as_manager()

    class Meta:
        db_table = "stk_restatement"
        verbose_name = _("restatement")
        verbose_name_plural = _("restatements")
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=["stock", "period", "open"], name="uniq_open_restatement"
            ),
        )

    def __str__(self) -> str:
        return f"{self.stock_id} {self.period} {self.state}"

    @property
    def key(self) -> Key:
        """返回股票编号和周期。"""
        return self.stock_id, self.period

    def end(self, state: RestatementState, *, at: datetime, **columns: object) -> None:
        """了结这一行。"""
        self.state, self.open, self.ended_at = state, None, at
        for name, value in columns.items():
            setattr(self, name, value)
        self.save()


class StagedKline(KlineValues):
    """重新取到、还没有换上去的一根 K 线;列和 `Kline` 的一样。"""

    pk = models.CompositePrimaryKey("stock_id", "period", "time")
    stock = models.ForeignKey(
        Stock, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    period = CodeField(_("period"), max_length=5)
    time = models.DateTimeField(_("time"))

    class Meta:
        db_table = "stk_kline_staged"
        verbose_name = _("staged K-line")
        verbose_name_plural = _("staged K-lines")

    def __str__(self) -> str:
        return f"{self.stock_id} {self.period} {self.time}"
