"""运行的分片:由一个进程执行的部分。"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from common.fields import CodeField
from common.messages import MessageField

from .runs import SyncRun

LEASE = timedelta(seconds=60)
# So long a run waits for a database that is away.
AWAY = 120.0  # seconds
# A process that lives may be silent for as long as it waits for the database.
SILENT = LEASE + timedelta(seconds=AWAY)
# So often a shard is claimed; after that it is set aside: it may be what kills its
# processes.
ATTEMPTS = 3


class ShardState(models.TextChoices):
    """分片的状态。"""

    QUEUED = "queued", _("queued")
    RUNNING = "running", _("running")
    WAITING = "waiting", _("waiting for quota")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")
    INTERRUPTED = "interrupted", _("interrupted")


OWNER = re.compile(r"run (\d{1,18}) shard ")  # as in `owner_of`
UNFINISHED = (ShardState.QUEUED, ShardState.RUNNING, ShardState.WAITING)


class SyncShardQuerySet(models.QuerySet["SyncShard"]):
    """分片的查询;抢占都是比较并交换。"""

    def claim(self, shard: SyncShard, *, process: str, at: datetime) -> int | None:
        """抢占一个分片,返回新的 fence;抢不到返回 None。

        Safe from several machines at once: the WHERE clause repeats the test and the
        fence that was seen, so of two that chose the same row only one finds it. The
        attempt counts from here on, whatever becomes of the process.
        """
        dead = Q(state=ShardState.RUNNING, heartbeat_at__lte=at - SILENT)
        over = dead & Q(attempts__lt=ATTEMPTS)
        free = Q(state=ShardState.QUEUED) | over
        claimed = self.filter(free, pk=shard.pk, fence=shard.fence).update(
            state=ShardState.RUNNING,
            fence=F("fence") + 1,
            attempts=F("attempts") + 1,
            process=process,
            error="",
            resume_at=None,
            heartbeat_at=at,
            leased_until=at + LEASE,
        )
        return shard.fence + 1 if claimed else None

    def promise(self, shard: SyncShard, *, at: datetime, until: datetime) -> bool:
        """答应一个排队的分片到 `until` 为止有工作进程来做;别人先答应了返回 False。

        Of several that see it wait at once, one finds the row.
        """
        free = Q(resume_at=None) | Q(resume_at__lte=at)
        queued = self.filter(free, pk=shard.pk, fence=shard.fence)
        return bool(queued.filter(state=ShardState.QUEUED).update(resume_at=until))

    def held(self, pk: int, *, fence: int) -> Self:
        """留下仍然归这个 fence 所有的分片,一个或没有。"""
        return self.filter(pk=pk, fence=fence, state=ShardState.RUNNING)

    def beat(self, pk: int, *, fence: int, at: datetime) -> bool:
        """记下心跳并续租;分片已经被别人接管时返回 False。"""
        held = self.held(pk, fence=fence)
        return bool(held.update(heartbeat_at=at, leased_until=at + LEASE))

    def seen(self, shard: SyncShard) -> Self:
        """留下还和看到的一样的这个分片:没有人抢占,没有心跳,没有换状态。"""
        return self.filter(
            pk=shard.pk,
            fence=shard.fence,
            state=shard.state,
            heartbeat_at=shard.heartbeat_at,
        )


class SyncShard(models.Model):
    """一次运行里由一个进程执行的部分。

    Of a run's N shards, number k has the stocks whose id leaves the remainder k when
    divided by N. `numbers` is its share of the run's numbers. One that waits for quota
    belongs to no process and is queued again at `resume_at`, or as soon as there are
    tokens for one of the markets that it `waits_for`. One that is queued has there
    until when a worker is promised to it. `work` is what each lane did a moment ago,
    for who looks on.
    """

    run = models.ForeignKey(SyncRun, models.CASCADE, related_name="shards")
    number = models.PositiveSmallIntegerField(_("number"), default=0)
    state = CodeField(
        _("state"), max_length=12, choices=ShardState.choices, default=ShardState.QUEUED
    )
    fence = models.PositiveIntegerField(_("fence"), default=0)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    process = models.CharField(_("process"), max_length=200, blank=True, default="")
    numbers = models.JSONField(_("numbers"), default=dict, blank=True)
    work = models.JSONField(_("at work"), default=dict, blank=True)
    error = MessageField(_("error"), blank=True, default="")
    resume_at = models.DateTimeField(_("goes on"), null=True)
    waits = MessageField(_("waits"), blank=True, default="")
    waits_for = models.CharField(
        _("waits for tokens of"), max_length=200, blank=True, default=""
    )
    heartbeat_at = models.DateTimeField(_("last heartbeat"))
    leased_until = models.DateTimeField(_("leased until"))

    objects = SyncShardQuerySet.as_manager()

    class Meta:
        db_table = "stk_sync_shard"
        verbose_name = _("shard")
        verbose_name_plural = _("shards")
        constraints = (
            models.UniqueConstraint(fields=["run", "number"], name="uniq_run_number"),
        )
        indexes = (models.Index(fields=["state"], name="idx_shard_state"),)

    def __str__(self) -> str:
        return f"run {self.run_id} shard {self.number}"

    def owner(self, fence: int) -> str:
        """返回这次抢占租用 Token 时用的名字。"""
        return f"{owner_of(self.run_id)}{self.number} claim {fence}"


def owner_of(run_id: int) -> str:
    """返回一次运行的全部分片租用 Token 时名字的开头。"""
    return f"run {run_id} shard "


def run_of(owner: str) -> int | None:
    """从租用 Token 的名字里读出运行的编号;不是运行的返回 None。"""
    found = OWNER.match(owner)
    return int(found[1]) if found else None
