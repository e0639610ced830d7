"""一次运行进行到哪里了:运行的页面上会变的那部分。"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString

from sync import services
from sync.models import (
    FailureStatus,
    RunKind,
    RunState,
    ShardState,
    SyncRun,
    SyncShard,
)
from sync.models.fetched import Fetched, FetchedWindows
from sync.models.runs import ACTIVE
from sync.models.shards import owner_of
from tokens.conditions import in_force
from tokens.models import ApiToken

from ..display import (
    asked,
    asker,
    badge,
    duration,
    elapsed,
    failures_url,
    lanes,
    state_badge,
    waits_for_quota,
    who,
)
from ..failures.reasons import NO_REASON, reason_label
from ..told import why
from .charts import result_bar, throughput_charts
from .lanes import lanes_of

# A queued run that nobody has taken by then: is a cluster running at all?
UNCLAIMED_LONG = timedelta(seconds=30)
FAR = 30 * 24 * 3600  # seconds; an end beyond that is no forecast
SAMPLES = 3
# Seconds between two looks of the page; a run that waits changes seldom.
OFTEN, SELDOM = 2, 30


@dataclass(frozen=True, slots=True)
class Progress:
    """一次运行到此刻的进度。

    `total` is at least `done`; `seconds_left` is None where nobody can tell yet.
    """

    run: SyncRun
    at: datetime
    total: int
    queued_at: datetime | None = None
    per_second: float = 0.0  # stocks, in the last minutes

    @property
    def active(self) -> bool:
        """判断运行是否还没有结束。"""
        return self.run.state in ACTIVE

    @property
    def done(self) -> int:
        """有了结果的股票。"""
        run = self.run
        return run.succeeded + run.failed + run.skipped

    @property
    def percent(self) -> int:
        """百分之几,舍去小数。"""
        return self.done * 100 // self.total if self.total else 0

    @property
    def bar(self) -> SafeString:
        """画出做完的、无需更新的、失败的和还没有做的。"""
        return result_bar(self.run, total=self.total, height=14)

    @property
    def state(self) -> str:
        """状态,带颜色。"""
        return state_badge(self.run)

    @property
    def asked(self) -> str:
        """用一句话写出要的是什么。"""
        return asked(self.run)

    @property
    def requested_by(self) -> str:
        """写出是谁要的。"""
        return asker(self.run.requested_by)

    @property
    def lanes(self) -> str:
        """写出有几条通道,各有几个 Token。"""
        return lanes(self.run.tokens_per_thread)

    @property
    def why(self) -> str:
        """等什么,或者为什么失败。"""
        return why(self.run.error)

    @property
    def took(self) -> str:
        """到此刻用了多久。"""
        return duration(elapsed(self.run, at=self.at))

    @property
    def left(self) -> str:
        """大约还要多久;说不出来时为空。"""
        seconds = self._seconds_left
        return "" if seconds is None else duration(seconds)

    @property
    def ends_at(self) -> datetime | None:
        """大约什么时候做完;说不出来时为 None。"""
        seconds = self._seconds_left
        if seconds is None or seconds > FAR:
            return None
        return self.at + timedelta(seconds=seconds)

    @property
    def _seconds_left(self) -> float | None:
        run, seconds = self.run, elapsed(self.run, at=self.at)
        fetched = run.succeeded + run.failed
        if run.state != RunState.RUNNING or not fetched or not seconds:
            return None
        return (self.total - self.done) / (self.per_second or fetched / seconds)

    @property
    def unclaimed(self) -> bool:
        """排队很久了,没有人接。"""
        since = self.queued_at
        return since is not None and self.at - since > UNCLAIMED_LONG

    @property
    def waits_for_quota(self) -> bool:
        """判断等的是不是每日的次数;否则等的是别的运行手里的 Token。"""
        return waits_for_quota(self.run)

    @property
    def cancelling(self) -> bool:
        """已经请求取消,还没有停。"""
        return self.active and self.run.cancel_requested_at is not None


@dataclass(frozen=True, slots=True)
class ShardRow:
    """一个分片,和它是不是没有了心跳。"""

    shard: SyncShard
    state: str
    process: str
    silent: bool


@dataclass(frozen=True, slots=True)
class HeldToken:
    """运行占用着的一个 Token。"""

    label: str
    left_today: int | None
    resting: bool


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """一种原因:这次运行里有多少,其中现在还有多少在等待。"""

    label: str
    count: int
    waiting: int
    url: str
    samples: list[tuple[str, str]]


def progress_of(run: SyncRun, *, at: datetime, per_second: float = 0.0) -> Progress:
    """算出进度;总数至少是已经有结果的。

    `per_second` stocks were done lately; without it what is left is told by the run's
    average.
    """
    return Progress(run, at, services.total_of(run), _queued_at(run), per_second)


def _queued_at(run: SyncRun) -> datetime | None:
    """排队从什么时候开始;又一次排队的从那时算起。不在排队的返回 None。"""
    if run.state != RunState.QUEUED:
        return None
    queued = run.shards.filter(state=ShardState.QUEUED).order_by("heartbeat_at")
    return queued.values_list("heartbeat_at", flat=True).last()


def details(run: SyncRun, *, at: datetime) -> dict[str, Any]:
    """运行的页面上会变的一切。"""
    shards = _shards(run, at=at)
    speed = services.throughput(run, at=at)
    reasons = _reasons(run)
    return {
        "every": SELDOM if run.state == RunState.WAITING else OFTEN,
        "retriable": 0 if run.kind == RunKind.RETRY else _waiting(reasons),
        "progress": progress_of(run, at=at, per_second=speed.stocks_per_second),
        "charts": throughput_charts(run, speed),
        "lanes": lanes_of([row.shard for row in shards], at=at),
        "events": _events(run),
        "fetched": fetched_windows(run),
        "shards": shards,
        "tokens": _tokens(run, at=at),
        "reasons": reasons,
        "waits": _waits(shards),
        "nothing": services.brought_nothing(run),
    }


def _waiting(reasons: Sequence[ReasonRow]) -> int:
    return sum(row.waiting for row in reasons)


def _waits(shards: Sequence[ShardRow]) -> list[str]:
    """写出正在等什么,在排队的也算;几个分片等的是一样的,说一次。"""
    alive = {ShardState.RUNNING, ShardState.QUEUED}
    working = [row.shard for row in shards if row.shard.state in alive]
    return [why.words for why in dict.fromkeys(shard.waits for shard in working) if why]


def _shards(run: SyncRun, *, at: datetime) -> list[ShardRow]:
    return [
        ShardRow(
            shard,
            state=badge(shard.state, shard.get_state_display()),
            process=services.shown_process(shard.process),
            silent=shard.state == ShardState.RUNNING and shard.leased_until <= at,
        )
        for shard in run.shards.order_by("number")
    ]


def _tokens(run: SyncRun, *, at: datetime) -> list[HeldToken]:
    if run.state not in ACTIVE:
        return []
    ours = ApiToken.objects.filter(leased_by__startswith=owner_of(run.pk))
    # One that the provider has refused is used no more, whose lease it may still be.
    held = ours.filter(in_force(at)).held(at=at)
    return [
        HeldToken(
            label=str(token),
            left_today=token.left_today(at),
            resting=token.resting_until is not None and token.resting_until > at,
        )
        for token in held.defer("token", "recent_calls").order_by("name", "pk")
    ]


def _reasons(run: SyncRun) -> list[ReasonRow]:
    """按原因数失败:批量的数它记录的,补拉的数它占有的。

    A row that a retry has taken over still counts for the run that recorded it.
    """
    if run.kind == RunKind.RETRY:
        reason_column, by, reason_named = "reason_class", "run", "reason"
    else:
        reason_column = "recorded_reason"
        by, reason_named = "recorded_by", "recorded_as"
    # By both columns, in the order of the index: read through it once, nothing sorted.
    now = services.failures_of(run).count_by("status", reason_column)
    # A stock that was had all the same, bad bars left out, is not one of the run's
    # failed: its row counts here.
    rows = Counter[str]()
    for (_status, reason), count in now.items():
        rows[reason] += count
    reasons = {**rows, **run.reasons}
    return [
        ReasonRow(
            label=reason_label(reason),
            count=count,
            waiting=now.get((FailureStatus.WAITING, reason), 0),
            url=failures_url(**{by: run.pk, reason_named: reason or NO_REASON}),
            samples=_samples(run, reason_column, reason),
        )
        for reason, count in sorted(reasons.items(), key=lambda row: -row[1])
    ]


def _samples(run: SyncRun, column: str, reason: str) -> list[tuple[str, str]]:
    """这种原因的头几只股票,和它们的失败记录的页面。"""
    rows = services.failures_of(run).filter(**{column: reason}).order_by()
    if column != "recorded_reason":  # the state stands before it in the index
        rows = rows.filter(status__in=FailureStatus.values)
    found = rows.values_list("market", "stock_code", "pk")[:SAMPLES]
    page = "admin:sync_syncfailure_change"
    return [
        (f"{market} {code}", reverse(page, args=[pk]))
        for market, code, pk in sorted(found)
    ]


@dataclass(frozen=True, slots=True)
class EventRow:
    """一件事,用读者的语言说。"""

    at: datetime
    text: str
    by: str
    way: str
    bad: bool


def _events(run: SyncRun) -> list[EventRow]:
    return [
        EventRow(event.at, event.text.words, who(event.by), event.way, event.bad)
        for event in services.events_of(run)
    ]


def fetched_windows(run: SyncRun) -> list[Fetched]:
    """列出一次运行真正取了的区间,按原因。"""
    return FetchedWindows().load(run.fetched).rows()
