"""一次运行的样本和大事:隔几秒记下的数字,和发生过的事。

For who looks on: nothing of a run follows from them, and it goes on where they cannot
be written. Kept for a while, see `services/upkeep/cleaning.py`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from common.messages import MessageField

from .runs import SyncRun

# A slot is the time for which a run has one sample. It doubles each time that the run
# has filled so many, so that days of it are as few rows as hours.
SLOT = 5  # seconds
SLOTS = 240
# As many are kept of a run that has ended.
KEPT = 120


def slot_seconds(age: float) -> int:
    """算出运行了 `age` 秒以后,隔几秒取一个样本。"""
    seconds = SLOT
    while age >= seconds * SLOTS:
        seconds *= 2
    return seconds


class RunSampleQuerySet(models.QuerySet["RunSample"]):
    """样本的查询。"""

    def of(self, run: SyncRun) -> Self:
        """留下这次运行的样本,旧的在前。"""
        return self.filter(run_id=run.pk).order_by("at")

    def thin(self, run_id: int, *, kept: int = KEPT) -> int:
        """均匀地留下大约 `kept` 个样本,返回删掉了几个。"""
        rows = self.filter(run_id=run_id)
        ids = list(rows.order_by("at").values_list("pk", flat=True))
        step = -(-len(ids) // kept)
        surplus = [pk for place, pk in enumerate(ids) if place % step]
        return rows.filter(pk__in=surplus).delete()[0] if surplus else 0


class RunSample(models.Model):
    """一次运行在一个时刻的数字;各列都是从开始到那时为止的。

    `lanes` are those of all its shards, `allowed` the calls a minute that its tokens
    may make together: None where one has no limit.
    """

    # No constraint: an INSERT would lock the run's row.
    run = models.ForeignKey(
        SyncRun, models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    at = models.DateTimeField()
    klines = models.PositiveBigIntegerField(default=0)
    calls = models.PositiveIntegerField(default=0)
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    lanes = models.PositiveSmallIntegerField(default=0)
    allowed = models.PositiveIntegerField(null=True)

    objects = RunSampleQuerySet.as_manager()

    class Meta:
        db_table = "stk_run_sample"
        verbose_name = _("sample of a run")
        verbose_name_plural = _("samples of runs")
        indexes = (models.Index(fields=["run", "at"], name="idx_sample_run_at"),)

    def __str__(self) -> str:
        return f"run {self.run_id} at {self.at:%Y-%m-%d %H:%M:%S}"


class RunEventQuerySet(models.QuerySet["RunEvent"]):
    """大事的查询。"""

    def latest_of(self, run: SyncRun, most: int) -> list[RunEvent]:
        """列出这次运行最近的至多 `most` 件,新的在前。"""
        return list(self.filter(run_id=run.pk).order_by("-pk")[:most])

    def note(self, run_id: int, text: str, *, at: datetime, bad: bool = False) -> None:
        """记下一件事;`text` 是显示时才翻译的话。"""
        self.create(run_id=run_id, text=text, at=at, bad=bad)


class RunEvent(models.Model):
    """一次运行里发生的一件事:用读者的语言说。`bad` 的要人留意。"""

    run = models.ForeignKey(
        SyncRun, models.CASCADE, related_name="+", db_constraint=False
    )
    at = models.DateTimeField()
    text = MessageField()
    bad = models.BooleanField(default=False)

    objects = RunEventQuerySet.as_manager()

    class Meta:
        db_table = "stk_run_event"
        verbose_name = _("event of a run")
        verbose_name_plural = _("events of runs")

    def __str__(self) -> str:
        return f"run {self.run_id}: {self.text}"
