"""最近 24 小时的时间轴:一个市场一条通道,按结果着色。"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from common import charts
from common.charts import Lane, Mark, Span, State
from sync.models import SyncRun

from ..display import COLOURS, asked, run_url

SPAN = timedelta(hours=24)
STEP = timedelta(hours=4)


def day_of_runs(
    runs: Sequence[SyncRun], markets: Sequence[str], *, at: datetime
) -> SafeString:
    """画出最近 24 小时的运行;要几个市场的和要全部的在最后一条通道;没有市场的不画。"""
    start = at - SPAN
    lanes = [_lane(market, market, runs, at=at) for market in markets]
    rest = [run for run in runs if run.market not in markets]
    if rest:
        lanes.append(Lane(_("several"), [_span(run, at=at) for run in rest]))
    if not lanes:
        return SafeString()
    marks = [Mark((tick - start) / SPAN, f"{tick:%H:%M}") for tick in _ticks(start)]
    return charts.timeline(
        lanes,
        label=_("Runs of the last 24 hours (UTC)"),
        start=start,
        end=at,
        marks=marks,
    )


def _lane(label: str, market: str, runs: Sequence[SyncRun], *, at: datetime) -> Lane:
    return Lane(label, [_span(run, at=at) for run in runs if run.market == market])


def _span(run: SyncRun, *, at: datetime) -> Span:
    start, end = run.started_at or at, run.finished_at or at
    times = f"{start.astimezone(UTC):%H:%M}–{end.astimezone(UTC):%H:%M} UTC"
    parts = (_("run %d") % run.pk, asked(run), run.get_state_display(), times)
    colour = State(COLOURS.get(run.state, "idle"))
    return Span(start, end, colour, " · ".join(parts), run_url(run.pk))


def _ticks(start: datetime) -> Iterator[datetime]:
    """每四个小时一个整点。"""
    first = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    tick = first + timedelta(hours=4 - first.hour % 4)
    while tick < start + SPAN:
        yield tick
        tick += STEP
