"""django-q2 的入口。

A job may be delivered twice, or late: the claim of the shard decides who executes it,
and whoever comes second finds nothing to do. The jobs below it are enqueued by the
schedules; what they return is shown in the list of jobs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import date
from functools import wraps
from threading import Event
from typing import Any, NoReturn

from django.conf import settings

from common import versions
from common.messages import Message

from . import services

logger = logging.getLogger(__name__)

# django-q2 kills a job at its timeout, which would be an attempt of the shard. Before
# that it is put back and goes on in a job of its own.
LONGEST = settings.Q_CLUSTER["timeout"] - 600  # seconds

# The sample ends before the day does whose calls it may take.
VERIFYING = 50 * 60  # seconds
# A list may have as many pages as a free token's calls of an hour.
LOADING = 60 * 60  # seconds

NONE = "–"


def _listed(values: Collection[object]) -> str:
    return ", ".join(map(str, values)) or NONE


@contextmanager
def _stopping(most: float = LONGEST) -> Iterator[Event]:
    """Set by a signal, and after `most` seconds, before django-q2 kills the job."""
    with (
        services.stop_on_signals() as stop,
        services.stop_after(min(LONGEST, most), stop),
    ):
        yield stop


def _of_this_version(task: Callable[..., str]) -> Callable[..., str]:
    """A cluster that was not stopped for an upgrade does nothing more.

    Its shards stay queued, and are enqueued again for the clusters of the new version.
    """

    @wraps(task)
    def refusing(*args: Any, **kwargs: Any) -> str:
        if words := versions.mismatch():
            logger.error(words, extra={"event": "job.refused"})
            return words
        return task(*args, **kwargs)

    return refusing


def _by_schedule(task: Callable[..., str]) -> Callable[..., str]:
    """Whatever these do, nobody has asked for it; what came of it is kept."""

    @_of_this_version
    @wraps(task)
    def acting(*args: Any, **kwargs: Any) -> str:
        with services.scheduled(f"{__name__}.{task.__name__}") as job:
            job.result = task(*args, **kwargs)
        return str(job.result)

    return acting


@_of_this_version
def execute_shard(shard_id: int, **_: Any) -> str:
    """执行一个分片,返回运行此后的状态。"""
    with _stopping() as stop:
        try:
            run = services.execute_shard(shard_id, stop=stop)
        except services.Refused as error:
            logger.warning("Shard %d was not executed: %s", shard_id, error)
            return "refused"
        except services.Unavailable:
            logger.exception("Shard %d has failed", shard_id)
            return "failed"
    return "gone" if run is None else str(run.state)


def refuse(func: str, **_: Any) -> NoReturn:
    """拒绝一个不是我们的任务:时间表里写着别的函数。"""
    raise ValueError(f"{func} is no job of stocksync and was not run")


@_by_schedule
def revive_runs(**_: Any) -> str:
    """把死掉的分片重新排队,叫醒等到了 Token 的。"""
    done = services.revive(at=services.now())
    return Message(
        "%(interrupted)d interrupted, %(restarted)d restarted, %(given_up)d given up, "
        "%(enqueued)d enqueued again",
        interrupted=len(done.interrupted),
        restarted=len(done.restarted),
        given_up=len(done.given_up),
        enqueued=len(done.enqueued),
    )


@_by_schedule
def watch(**_: Any) -> str:
    """看一遍告警的规则;有要告诉人的,由另一个任务去说。"""
    seen = services.watch(at=services.now())
    services.tell_soon(at=services.now())
    return Message(
        "alerts: %(opened)d new, %(over)d over", opened=seen.opened, over=seen.over
    )


def tell_alerts(**_: Any) -> str:
    """把告警发给每个接收方。"""
    done = services.tell(at=services.now())
    return f"{done.told} told, {done.failed} failed"


@_by_schedule
def refresh_calendars(**_: Any) -> str:
    """向服务商问各市场的休市日和状态。"""
    asked = services.refresh_calendars(at=services.now())
    return Message("asked about: %(markets)s", markets=_listed(asked))


@_by_schedule
def sync_daily(**_: Any) -> str:
    """为收了盘的每个市场登记一次同步。"""
    runs = services.sync_daily(at=services.now())
    return Message("runs started: %(runs)s", runs=_listed(runs))


@_by_schedule
def sync_stocks(**_: Any) -> str:
    """取得每个市场的股票列表:新上市的,和没有了的。"""
    with _stopping(LOADING) as stop:
        done = services.sync_stocks_weekly(stop=stop)
    new = [f"{market} {found.created}" for market, found in done.items()]
    return Message("new stocks: %(markets)s", markets=_listed(new))


@_by_schedule
def sync_splits(**_: Any) -> str:
    """取得每个市场的拆股,和 K 线对照。"""
    with _stopping(LOADING) as stop:
        markets = services.sync_splits_daily(stop=stop)
    return Message("splits of: %(markets)s", markets=_listed(markets))


@_by_schedule
def retry_hourly(**_: Any) -> str:
    """为等待中的失败登记一次补拉。"""
    run = services.retry_hourly(at=services.now())
    return Message("run started: %(run)s", run=run or NONE)


@_of_this_version
def audit_market(market: str, period: str, day: str, **_: Any) -> str:
    """核对有人要核对的市场:`day` 是空的,就是最近一个月和没有核对过的。"""
    wanted = date.fromisoformat(day) if day else None
    filed = services.audit_one(market, period, day=wanted, at=services.now())
    return Message("holes recorded: %(count)d", count=filed)


@_by_schedule
def audit_daily(**_: Any) -> str:
    """核对最近的日子,登记缺口。"""
    audits = services.audit_daily(at=services.now())
    services.compare_resampled(at=services.now())
    recorded = sum(found.recorded for found in audits)
    return Message("holes recorded: %(count)d", count=recorded)


@_by_schedule
def verify_daily(**_: Any) -> str:
    """用当天剩下的请求抽查存下的 K 线。"""
    with _stopping(VERIFYING) as stop:
        found = services.verify_daily(stop=stop)
    return Message(
        "%(bars)d bars compared, %(differ)d differ, %(gone)d are gone",
        bars=found.bars,
        differ=found.differ,
        gone=found.gone,
    )


@_by_schedule
def clean_up(**_: Any) -> str:
    """删除旧的运行和失败的任务。"""
    cleaned = services.clean_up(at=services.now())
    return Message(
        "deleted: %(runs)d runs, %(jobs)d failed jobs, %(activity)d lines of activity",
        runs=cleaned.runs,
        jobs=cleaned.jobs,
        activity=cleaned.activity,
    )
