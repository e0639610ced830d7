"""一次运行有多快:由样本算出的每秒 K 线、每分钟请求、每秒做完的股票。"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from sync.models import RunSample, SyncRun

MINUTE = 60.0
# So many points are drawn at most.
POINTS = 60
# By the last minutes one tells how long the rest will take.
LATELY = timedelta(minutes=3)
# Samples so many times further apart than usual: nothing was done in between.
PAUSE = 4


class Point(NamedTuple):
    """一个时刻的数字,从开始到那时为止的。"""

    at: datetime
    klines: int
    calls: int
    done: int


@dataclass(frozen=True, slots=True)
class Throughput:
    """画成折线的速度,旧的在前;`at` 是每一点的时刻。

    `klines` are those a second since the point before, None where the run paused;
    `calls` are those of the minute before the point, so that what is made in a burst at
    its beginning does not look as if a limit were passed. `allowed` is the last known,
    None where there is no limit, or nothing is known.
    """

    at: Sequence[datetime] = ()
    klines: Sequence[float | None] = ()
    calls: Sequence[float | None] = ()
    allowed: int | None = None
    stocks_per_second: float = 0.0


def throughput(run: SyncRun, *, at: datetime) -> Throughput:
    """由一次运行的样本和它此刻的数字算出速度。"""
    columns = ("at", "klines", "calls", "succeeded", "failed", "skipped", "allowed")
    rows = list(RunSample.objects.of(run).values_list(*columns))
    samples = [Point(when, k, c, s + f + n) for when, k, c, s, f, n, _ in rows]
    points = _with_both_ends(run, samples, at=at)
    drawn = _thinned(points)
    return Throughput(
        at=[point.at for point in drawn[1:]],
        klines=_klines(drawn),
        calls=[_calls_in_the_minute(points, point.at) for point in drawn[1:]],
        allowed=rows[-1][-1] if rows else None,
        stocks_per_second=_lately(points),
    )


def _with_both_ends(
    run: SyncRun, samples: Sequence[Point], *, at: datetime
) -> list[Point]:
    if run.started_at is None:
        return []
    done = run.succeeded + run.failed + run.skipped
    until = run.finished_at or min(at, run.heartbeat_at)
    inner = [point for point in samples if run.started_at < point.at < until]
    end = Point(until, run.klines, run.calls, done)
    return [Point(run.started_at, 0, 0, 0), *inner, *([end] if until else [])]


def _thinned(points: Sequence[Point]) -> list[Point]:
    step = -(-len(points) // POINTS) or 1
    return [*points[:-1:step], *points[-1:]]


def _klines(points: Sequence[Point]) -> list[float | None]:
    pairs = list(pairwise(points))
    steps = [(b.at - a.at).total_seconds() for a, b in pairs]
    usual = median(steps) if steps else 0.0
    return [
        (b.klines - a.klines) / step if 0 < step <= PAUSE * usual else None
        for (a, b), step in zip(pairs, steps, strict=True)
    ]


def _calls_in_the_minute(points: Sequence[Point], at: datetime) -> float:
    before = at - timedelta(seconds=MINUTE)
    return max(0.0, _calls_until(points, at) - _calls_until(points, before))


def _calls_until(points: Sequence[Point], at: datetime) -> float:
    """到一个时刻为止的请求数;两个样本之间的按比例。"""
    place = bisect_right(points, at, key=lambda point: point.at)
    if place == 0:
        return 0.0
    if place == len(points):
        return points[-1].calls
    a, b = points[place - 1], points[place]
    return a.calls + (b.calls - a.calls) * ((at - a.at) / (b.at - a.at))


def _lately(points: Sequence[Point]) -> float:
    if not points:
        return 0.0
    end = points[-1]
    first = next(point for point in points if end.at - point.at <= LATELY)
    seconds = (end.at - first.at).total_seconds()
    return (end.done - first.done) / seconds if seconds > 0 else 0.0
