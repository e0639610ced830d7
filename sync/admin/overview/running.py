"""正在进行和等待的运行:做了多少,什么时候做完,等什么。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from common.charts import sparkline
from common.messages import words_of
from sync import services
from sync.models import RunState, ShardState, SyncRun, SyncShard
from sync.services import Throughput, Wanted

from ..display import run_url
from ..runs.progress import Progress, progress_of

# More than that nobody reads at a glance; the list of runs has the others.
MOST = 8
# A line of fewer points says nothing.
FEW = 3


@dataclass(frozen=True, slots=True)
class Going:
    """一次还没有结束的运行;`ends` 是大约什么时候做完,`why` 是等什么。"""

    progress: Progress
    url: str
    line: SafeString | str
    rate: int | None
    allowed: int | None
    ends: datetime | None
    why: list[str]


def going(active: Sequence[Wanted], *, at: datetime) -> list[Going]:
    """列出还没有结束的运行,至多八次。"""
    runs = [each.run for each in active[:MOST]]
    waits = _waits(runs)
    return [_going(run, waits.get(run.pk, []), at=at) for run in runs]


def _going(run: SyncRun, waits: list[str], *, at: datetime) -> Going:
    running = run.state == RunState.RUNNING
    speed = services.throughput(run, at=at) if running else Throughput()
    progress = progress_of(run, at=at, per_second=speed.stocks_per_second)
    why = [progress.why] if run.error else []
    return Going(
        progress=progress,
        url=run_url(run.pk),
        line=_line(speed),
        rate=_rate(speed),
        allowed=speed.allowed,
        ends=progress.ends_at,
        why=[*dict.fromkeys([*why, *waits])],
    )


def _line(speed: Throughput) -> SafeString | str:
    """每分钟的请求画成折线;虚线是这些 Token 每分钟最多能做的。"""
    if len(speed.calls) < FEW:
        return ""
    return sparkline(
        speed.calls, label=_("calls a minute"), limit=speed.allowed, height=24
    )


def _rate(speed: Throughput) -> int | None:
    """最近一分钟几次请求;没有在进行的没有。"""
    last = speed.calls[-1] if speed.calls else None
    return None if last is None else round(last)


def _waits(runs: Sequence[SyncRun]) -> dict[int, list[str]]:
    """每次运行在等什么,用读者的语言;在排队的也算。"""
    alive = (ShardState.RUNNING, ShardState.QUEUED)
    rows = SyncShard.objects.filter(run__in=runs, state__in=alive).exclude(waits="")
    found: dict[int, list[str]] = {}
    for run_id, waits in rows.order_by("number").values_list("run_id", "waits"):
        if waits:
            found.setdefault(run_id, []).append(words_of(waits))
    return found
