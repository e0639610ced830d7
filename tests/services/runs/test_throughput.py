"""速度由样本算出:每秒 K 线,最近一分钟的请求,最近做完的股票。"""

from __future__ import annotations

from typing import Any

import pytest

from sync.models import RunSample, SyncRun
from sync.services import throughput
from tests.rows import AT, SECOND, run

pytestmark = pytest.mark.django_db


def running(**columns: Any) -> SyncRun:
    started = {"state": "running", "started_at": AT, "heartbeat_at": AT + 3600 * SECOND}
    return run(**started | columns)


def sample(of: SyncRun, second: int, **columns: Any) -> None:
    usual: dict[str, Any] = {"allowed": 60, "lanes": 1}
    RunSample.objects.create(run=of, at=AT + second * SECOND, **usual | columns)


def test_klines_a_second_are_told_between_two_samples() -> None:
    of = running(klines=500, calls=10)
    sample(of, 5, klines=100, calls=2)
    sample(of, 10, klines=400, calls=8)

    speed = throughput(of, at=AT + 15 * SECOND)

    assert list(speed.klines) == [20.0, 60.0, 20.0]
    assert list(speed.calls) == [2, 8, 10]
    assert [at - AT for at in speed.at] == [n * SECOND for n in (5, 10, 15)]
    assert speed.allowed == 60


def test_a_burst_does_not_look_as_if_the_limit_were_passed() -> None:
    of = running(calls=120)
    for second in range(5, 120, 5):
        sample(of, second, calls=60 if second < 65 else 120)

    speed = throughput(of, at=AT + 120 * SECOND)

    # 60 in the first five seconds, the next 60 after a minute.
    assert max(value or 0 for value in speed.calls) == 60


def test_a_pause_breaks_the_curve() -> None:
    of = running(klines=300)
    for second in (5, 10, 15, 20, 1000, 1005, 1010):
        sample(of, second, klines=second)

    speed = throughput(of, at=AT + 1015 * SECOND)

    assert list(speed.klines)[4] is None
    assert None not in list(speed.klines)[:4]


def test_a_long_run_is_drawn_in_few_points_and_ends_with_its_numbers() -> None:
    of = running(state="succeeded", klines=50_000, finished_at=AT + 5001 * SECOND)
    for second in range(5, 5000, 5):
        sample(of, second, klines=second * 10)

    speed = throughput(of, at=AT + 9000 * SECOND)

    assert len(speed.at) == len(speed.klines) <= 62
    assert speed.at[-1] == of.finished_at
    assert all(9 < (value or 0) < 11 for value in speed.klines[:-1])


def test_what_is_left_is_told_by_the_last_minutes() -> None:
    of = running(succeeded=400)
    sample(of, 600, succeeded=10)
    sample(of, 700, succeeded=200)

    speed = throughput(of, at=AT + 780 * SECOND)

    assert speed.stocks_per_second == pytest.approx((400 - 10) / 180)


def test_of_a_run_that_has_not_begun_nothing_is_known() -> None:
    speed = throughput(run(started_at=None), at=AT)

    assert (speed.at, speed.klines, speed.allowed) == ([], [], None)
    assert speed.stocks_per_second == 0.0
