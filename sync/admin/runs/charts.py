"""运行的图:进度、结果、历次用了多久、速度。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from common.charts import Bar, Part, State, bars, sparkline, stacked
from sync import services
from sync.models import RunState, SyncRun

from ..display import COLOURS, MINUTE, asked, duration, elapsed, run_url

CHART_WIDTH, CHART_HEIGHT = 520, 64
LIST_BARS = 30


def result_bar(run: SyncRun, *, total: int, height: int = 10) -> SafeString:
    """把做完的、无需更新的、失败的和还没有做的画成一条。"""
    left = max(0, total - run.succeeded - run.skipped - run.failed)
    counted = (
        (run.succeeded, State.OK, _("%s succeeded")),
        (run.skipped, State.IDLE, _("%s up to date")),
        (run.failed, State.BAD, _("%s failed")),
        (left, State.UNKNOWN, _("%s not done")),
    )
    parts = [Part(n, state, text % intcomma(n)) for n, state, text in counted]
    return stacked(parts, label=_("stocks"), height=height)


def duration_bars(runs: Sequence[SyncRun], *, at: datetime) -> SafeString:
    """把历次运行用了多久画成柱,旧的在左,颜色是结果。"""
    shown = [
        Bar(
            max(1.0, elapsed(run, at=at)),
            State(COLOURS.get(run.state, "idle")),
            f"{_('run %d') % run.pk} · {run.get_state_display()} · "
            f"{duration(elapsed(run, at=at))} · {asked(run)}",
            run_url(run.pk),
        )
        for run in reversed(runs)
        if run.started_at
    ]
    return (
        bars(shown, label=_("How long the last runs took")) if shown else SafeString()
    )


@dataclass(frozen=True, slots=True)
class Chart:
    """一条折线,和它旁边的字。"""

    title: str
    drawn: SafeString
    now: str
    peak: str


def throughput_charts(run: SyncRun, speed: services.Throughput) -> list[Chart]:
    """把速度画成两条折线:每秒 K 线,每分钟请求和允许的上限。"""
    if len(speed.at) < 2 or not elapsed(run, at=speed.at[-1]):  # noqa: PLR2004
        return []  # a line needs two points
    limit = _(" of %s allowed") % intcomma(speed.allowed) if speed.allowed else ""
    running, seconds = run.state == RunState.RUNNING, elapsed(run, at=speed.at[-1])
    # A run of little more than a minute has begun another one's calls: it never made
    # more in a minute than the most that were seen in one.
    most = max((each for each in speed.calls if each is not None), default=0.0)
    calls = min(run.calls * MINUTE / seconds, most)
    average = {"klines": run.klines / seconds, "calls": calls}
    return [
        _chart(
            _("K-lines a second"),
            speed.klines,
            average=None if running else average["klines"],
        ),
        _chart(
            _("calls a minute"),
            speed.calls,
            average=None if running else average["calls"],
            limit=speed.allowed,
            of=limit if running else "",
        ),
    ]


def _chart(
    title: str,
    values: Sequence[float | None],
    *,
    average: float | None,
    limit: int | None = None,
    of: str = "",
) -> Chart:
    """画一条折线;还在进行的写此刻的,结束了的写平均。"""
    known = [value for value in values if value is not None]
    now = intcomma(round(known[-1])) if known else "–"
    if average is not None:
        now = _("%s on average") % intcomma(round(average))
    peak = intcomma(round(max(known))) if known else "–"
    told = _("%(title)s: %(now)s, %(peak)s at most")
    drawn = sparkline(
        values,
        label=told % {"title": title, "now": now + of, "peak": peak},
        limit=limit,
        width=CHART_WIDTH,
        height=CHART_HEIGHT,
    )
    return Chart(title, drawn, now + of, peak)
