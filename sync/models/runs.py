"""运行:要什么,结果如何。"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from common.fields import CodeField
from common.messages import MessageField

from ..engine.ports import Window
from .counting import CountingQuerySet
from .permissions import PERMISSIONS


class RunState(models.TextChoices):
    """运行的状态。"""

    QUEUED = "queued", _("queued")
    RUNNING = "running", _("running")
    SUCCEEDED = "succeeded", _("succeeded")
    PARTIAL = "partial", _("partial")
    WAITING = "waiting", _("waiting for quota")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")
    INTERRUPTED = "interrupted", _("interrupted")


ACTIVE = (RunState.QUEUED, RunState.RUNNING, RunState.WAITING)


class RunKind(models.TextChoices):
    """运行的种类。"""

    BATCH = "batch", _("batch")
    SINGLE = "single", _("single stocks")
    RETRY = "retry", _("retry")


class SyncRunQuerySet(CountingQuerySet["SyncRun"]):
    """运行的查询。"""

    def active(self) -> Self:
        """留下还没有结束的运行。"""
        return self.filter(state__in=ACTIVE)

    def end(
        self, pk: int, *, state: RunState, error: str, at: datetime, **numbers: Any
    ) -> bool:
        """结束一次运行;已经结束了的返回 False。"""
        ended = (
            self.active()
            .filter(pk=pk)
            .update(
                state=state,
                error=error,
                finished_at=at,
                request_key=None,
                waiting_until=None,
                **numbers,
            )
        )
        return bool(ended)


class SyncRun(models.Model):
    """一次批量、补拉或单只同步:要什么,结果如何。

    `market` holds the markets asked for, comma-separated, empty for all; `codes` the
    stock codes, empty for all. `request_key` is unique while the run is active, so
    that the same request cannot run twice at once. A run in the `background` belongs to
    no process and is started again when the one that works on it dies. Its shards take
    one of `shares` equal shares of the tokens each; `waiting_until` tells when a run
    without quota goes on. `unserved` are markets of which nothing was asked for want of
    a token. `fetched` are the windows of the stocks that are done, by the reason why
    they were fetched: see `fetched.Fetched`.
    """

    kind = CodeField(_("kind"), max_length=10, choices=RunKind.choices)
    state = CodeField(
        _("state"), max_length=12, choices=RunState.choices, default=RunState.QUEUED
    )
    market = models.CharField(_("market"), max_length=200, blank=True, default="")
    codes = models.JSONField(_("codes"), default=list, blank=True)
    period = CodeField(_("period"), max_length=5)
    start_date = models.DateField(_("from"), null=True)
    end_date = models.DateField(_("to"), null=True)
    force = models.BooleanField(_("re-download"), default=False)
    background = models.BooleanField(_("left to the cluster"), default=False)
    shares = models.PositiveSmallIntegerField(_("shares of the tokens"), default=1)
    max_retry_count = models.PositiveIntegerField(_("most attempts"), null=True)
    requested_by = models.CharField(_("by"), max_length=150, blank=True, default="")
    request_key = CodeField(max_length=64, null=True, unique=True, editable=False)
    stocks = models.PositiveIntegerField(_("stocks"), default=0)
    succeeded = models.PositiveIntegerField(_("succeeded"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    skipped = models.PositiveIntegerField(_("up to date"), default=0)
    klines = models.PositiveBigIntegerField(_("K-lines"), default=0)
    dropped = models.PositiveIntegerField(_("rejected bars"), default=0)
    calls = models.PositiveIntegerField(_("calls"), default=0)
    reasons = models.JSONField(_("failures by reason"), default=dict, blank=True)
    unserved = models.JSONField(_("markets without a token"), default=list, blank=True)
    fetched = models.JSONField(_("windows fetched"), default=dict, blank=True)
    threads = models.PositiveSmallIntegerField(_("threads"), default=0)
    tokens_per_thread = models.JSONField(_("tokens per thread"), default=list)
    error = MessageField(_("error"), blank=True, default="")
    created_at = models.DateTimeField(_("requested"))
    started_at = models.DateTimeField(_("started"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    waiting_until = models.DateTimeField(_("waits until"), null=True)
    heartbeat_at = models.DateTimeField(_("last heartbeat"))
    cancelled_by = models.CharField(
        _("cancelled by"), max_length=150, blank=True, default=""
    )
    cancel_requested_at = models.DateTimeField(_("cancel requested"), null=True)

    objects = SyncRunQuerySet.as_manager()

    class Meta:
        db_table = "stk_sync_run"
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ("-id",)
        permissions = PERMISSIONS
        indexes = (models.Index(fields=["state"], name="idx_run_state"),)

    def __str__(self) -> str:
        return f"run {self.pk}"

    @property
    def window(self) -> Window:
        """返回要的区间;补拉没有自己的区间,不可以问。"""
        assert self.start_date is not None
        assert self.end_date is not None
        return Window(self.start_date, self.end_date)

    @property
    def markets(self) -> list[str]:
        """返回要的市场;空表示全部。"""
        return self.market.split(",") if self.market else []

    @property
    def seconds(self) -> float:
        """算出运行了多少秒;还没有结束时,算到最后一次心跳为止。"""
        if self.started_at is None:
            return 0.0
        until = self.finished_at or self.heartbeat_at
        return max(0.0, (until - self.started_at).total_seconds())

    @property
    def wanted_key(self) -> str | None:
        """算出这次运行的请求的键;补拉没有键,返回 None。"""
        if self.kind == RunKind.RETRY:
            return None
        return request_key(
            markets=self.markets,
            codes=self.codes,
            period=self.period,
            start=self.window.start,
            end=self.window.end,
        )


def request_key(
    *,
    markets: Iterable[str],
    codes: Iterable[str],
    period: str,
    start: date,
    end: date | None,
) -> str:
    """算出一次请求的键:要的东西一样,键就一样,不管写的顺序。"""
    wanted = [sorted(markets), sorted(set(codes)), period]
    text = json.dumps([*wanted, str(start), str(end)])
    return hashlib.sha256(text.encode()).hexdigest()
