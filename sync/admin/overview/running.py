"""正在进行和等待的运行:做了多少,什么时候做完,等什么。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from common.charts import Part, State, sparkline, stacked
from common.messages import words_of
from sync import services
from sync.models import RunState, ShardState, SyncRun, SyncShard
from sync.services import Throughput, Wanted

from ..display import elapsed, run_url
from ..runs.progress import Progress, progress_of

# More than that nobody reads at a glance; the list of runs has the others.
MOST = 8
MINUTE = 60
# A line of fewer points says nothing.
FEW = 3


@dataclass(frozen=True, slots=True)
class Going:
    """一次还没有结束的运行;`ends` 是大约什么时候做完,`why` 是等什么。"""

    progress: Progress
    url: str
    bar: SafeString
    line: SafeString | str
    rate: int | None
    allowed: int | None
    ends: datetime | None
    why: list[str]


def going(*, at: datetime) -> tuple[list[Going], list[Wanted]]:
    """列出还没有结束的运行,和它们各还有几只股票没有结果。"""
    runs = list(SyncRun.objects.active().order_by("pk")[: MOST + 1])
    waits = _waits(runs)
    progresses = [progress_of(run, at=at) for run in runs]
    wanted = [Wanted(each.run, each.total - each.done) for each in progresses]
    shown = progresses[:MOST]
    return [_going(each, waits.get(each.run.pk, [])) for each in shown], wanted


def _going(progress: Progress, waits: list[str]) -> Going:
    run = progress.run
    why = [progress.why] if run.error else []
    running = run.state == RunState.RUNNING
    speed = services.throughput(run, at=progress.at) if running else None
    return Going(
        progress=progress,
        url=run_url(run.pk),
        bar=_bar(progress),
        line=_line(speed),
        rate=_rate(progress, speed),
        allowed=speed.allowed if speed else None,
        ends=_ends(progress),
        why=[*dict.fromkeys([*why, *waits])],
    )


def _bar(progress: Progress) -> SafeString:
    run = progress.run
    left = progress.total - progress.done
    parts = (
        (run.succeeded + run.skipped, State.OK, _("done")),
        (run.failed, State.BAD, _("failed")),
        (left, State.IDLE, _("to do")),
    )
    return stacked(
        [Part(n, state, f"{n:,} {word}") for n, state, word in parts],
        label=_("run %d") % run.pk,
    )


def _line(speed: Throughput | None) -> SafeString | str:
    """每分钟的请求画成折线;虚线是这些 Token 每分钟最多能做的。"""
    if speed is None or len(speed.calls) < FEW:
        return ""
    return sparkline(
        speed.calls, label=_("calls a minute"), limit=speed.allowed, height=24
    )


def _rate(progress: Progress, speed: Throughput | None) -> int | None:
    """最近一分钟几次请求;没有样本时是到现在为止的平均。"""
    if speed and speed.calls and speed.calls[-1] is not None:
        return round(speed.calls[-1])
    run, seconds = progress.run, elapsed(progress.run, at=progress.at)
    if run.state != RunState.RUNNING or not seconds:
        return None
    return round(run.calls * MINUTE / seconds)


def _ends(progress: Progress) -> datetime | None:
    run, seconds = progress.run, elapsed(progress.run, at=progress.at)
    fetched = run.succeeded + run.failed
    if run.state != RunState.RUNNING or not fetched:
        return None
    left = (progress.total - progress.done) * seconds / fetched
    return progress.at + timedelta(seconds=left)


def _waits(runs: Sequence[SyncRun]) -> dict[int, list[str]]:
    """每次运行在等什么,用读者的语言;在排队的也算。"""
    alive = (ShardState.RUNNING, ShardState.QUEUED)
    rows = SyncShard.objects.filter(run__in=runs, state__in=alive).exclude(waits="")
    found: dict[int, list[str]] = {}
    for run_id, waits in rows.order_by("number").values_list("run_id", "waits"):
        if waits:
            found.setdefault(run_id, []).append(words_of(waits))
    return found
