"""分钟线的一天什么时候取全了。"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from sync.engine import coverage
from sync.engine.paging import Walk
from sync.engine.periods import PERIODS
from sync.engine.ports import Closings, Kline, Page, Task, Window

MONDAY, TUESDAY = date(2026, 3, 9), date(2026, 3, 10)
# In New York the clocks have been put forward: sessions are 13:30 to 20:00 UTC.
CLOSE = {day: datetime(2026, 3, day.day, 20, tzinfo=UTC) for day in (MONDAY, TUESDAY)}
TODAY = Closings(at=CLOSE, over=MONDAY)
TOMORROW = Closings(at=CLOSE, over=TUESDAY)
QUARTER = timedelta(minutes=15)


@pytest.mark.parametrize(
    ("until", "closings", "whole"),
    [
        ("20:00", TODAY, True),
        ("19:45", TODAY, True),  # a bar is missing, and near enough
        ("19:30", TODAY, False),
        ("16:00", TOMORROW, False),  # ten of 26, and a day later still
        ("20:15", TODAY, True),  # an auction
        ("21:00", TODAY, False),  # after-hours, going on
        ("23:45", TOMORROW, True),
    ],
)
def test_a_day_is_whole_by_a_bar_near_its_close(
    until: str, closings: Closings, whole: bool
) -> None:
    moment = datetime.fromisoformat(f"2026-03-10T{until}+00:00")

    assert coverage.is_whole(TUESDAY, until=moment, closings=closings) is whole


def test_a_day_that_is_too_old_to_be_late_is_whole() -> None:
    morning = datetime(2026, 3, 5, 15, tzinfo=UTC)

    assert coverage.is_whole(date(2026, 3, 5), until=morning, closings=TODAY)


def walked(*bars: int, closings: Closings | None) -> Walk:
    """周一全天,周二的前几根 15 分钟线。"""
    task = Task(
        *(1, "US", "AAPL", "15m", (Window(MONDAY, TUESDAY),), None, TUESDAY),
        closings=closings,
    )
    walk = Walk(task, task.windows[0])
    one, open_ = Decimal(1), timedelta(hours=6.5)
    klines = [
        Kline(CLOSE[day] - open_ + n * QUARTER, one, one, one, one, one, one)
        for day, count in zip((MONDAY, TUESDAY), bars, strict=True)
        for n in range(count)
    ]
    oldest = int(klines[0].time.timestamp() * 1000)
    walk.accept(Page(klines, oldest))
    return walk


@pytest.mark.parametrize(
    ("bars", "closings", "newest"),
    [
        ((26, 26), TODAY, TUESDAY),
        ((26, 10), TODAY, MONDAY),
        ((26, 10), None, TUESDAY),
        ((0, 10), TODAY, None),
    ],
)
def test_what_is_not_whole_is_not_the_newest_day(
    bars: tuple[int, int], closings: Closings | None, newest: date | None
) -> None:
    assert walked(*bars, closings=closings).newest() == newest


def test_the_last_day_of_minutes_is_read_again_with_the_next() -> None:
    covered = Window(MONDAY, MONDAY)
    wanted = Window(date(2026, 3, 5), TUESDAY)
    windows = coverage.missing(wanted, covered)

    again = coverage.with_last_day(windows, covered, "15m")

    assert again == [Window(date(2026, 3, 5), date(2026, 3, 8)), wanted_end(MONDAY)]
    assert coverage.with_last_day(windows, covered, "day") == windows
    assert coverage.with_last_day([wanted], None, "15m") == [wanted]
    assert coverage.with_last_day([], covered, "15m") == []
    assert PERIODS["15m"].intraday


def wanted_end(start: date) -> Window:
    return Window(start, TUESDAY)
