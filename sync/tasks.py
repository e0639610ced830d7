"""django-q2 的入口。

A job may be delivered twice, or late: the claim of the shard decides who executes it,
and whoever comes second finds nothing to do. The jobs below it are enqueued by the
schedules; what they return is shown in the list of jobs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings

from . import services

logger = logging.getLogger(__name__)

# django-q2 kills a job at its timeout, which would be an attempt of the shard. Before
# that it is put back and goes on in a job of its own.
LONGEST = settings.Q_CLUSTER["timeout"] - 600  # seconds

# The sample ends before the day does whose calls it may take.
VERIFYING = 50 * 60  # seconds
# A list may have as many pages as a free token's calls of an hour.
LOADING = 60 * 60  # seconds


def _by_schedule(task: Callable[..., str]) -> Callable[..., str]:
    """Whatever these do, nobody has asked for it."""

    @wraps(task)
    def acting(*args: Any, **kwargs: Any) -> str:
        actor = services.activity.Actor(
            services.activity.SCHEDULE, services.activity.Way.SCHEDULE, task.__name__
        )
        with services.activity.acting(actor):
            return task(*args, **kwargs)

    return acting


def execute_shard(shard_id: int, **_: Any) -> str:
    """执行一个分片,返回运行此后的状态。"""
    with (
        services.stop_on_signals() as stop,
        services.stop_after(LONGEST, stop),
    ):
        try:
            run = services.execute_shard(shard_id, stop=stop)
        except services.Refused as error:
            logger.warning("Shard %d was not executed: %s", shard_id, error)
            return "refused"
        except services.Unavailable:
            logger.exception("Shard %d has failed", shard_id)
            return "failed"
    return "gone" if run is None else str(run.state)


@_by_schedule
def revive_runs(**_: Any) -> str:
    """把死掉的分片重新排队,叫醒等到了 Token 的。"""
    done = services.revive(at=services.now())
    return (
        f"{len(done.interrupted)} interrupted, {len(done.restarted)} restarted, "
        f"{len(done.given_up)} given up, {len(done.enqueued)} enqueued again"
    )


@_by_schedule
def refresh_calendars(**_: Any) -> str:
    """向服务商问各市场的休市日和状态。"""
    asked = services.refresh_calendars(at=services.now())
    return f"asked about: {asked}"


@_by_schedule
def sync_daily(**_: Any) -> str:
    """为收了盘的每个市场登记一次同步。"""
    return f"runs started: {services.sync_daily(at=services.now())}"


@_by_schedule
def sync_splits(**_: Any) -> str:
    """取得每个市场的拆股,和 K 线对照。"""
    with (
        services.stop_on_signals() as stop,
        services.stop_after(min(LONGEST, LOADING), stop),
    ):
        return f"splits of: {services.sync_splits_daily(stop=stop)}"


@_by_schedule
def retry_hourly(**_: Any) -> str:
    """为等待中的失败登记一次补拉。"""
    return f"run started: {services.retry_hourly(at=services.now())}"


@_by_schedule
def audit_daily(**_: Any) -> str:
    """核对最近的日子,登记缺口。"""
    audits = services.audit_daily(at=services.now())
    return f"holes recorded: {sum(found.recorded for found in audits)}"


@_by_schedule
def verify_daily(**_: Any) -> str:
    """用当天剩下的请求抽查存下的 K 线。"""
    with (
        services.stop_on_signals() as stop,
        services.stop_after(min(LONGEST, VERIFYING), stop),
    ):
        found = services.verify_daily(stop=stop)
    return f"{found.bars} bars compared, {found.differ} differ, {found.gone} are gone"


@_by_schedule
def clean_up(**_: Any) -> str:
    """删除旧的运行和失败的任务。"""
    cleaned = services.clean_up(at=services.now())
    return (
        f"deleted: {cleaned.runs} runs, {cleaned.jobs} failed jobs, "
        f"{cleaned.activity} lines of activity"
    )
