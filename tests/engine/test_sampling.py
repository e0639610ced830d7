"""抽样:区间和样本怎样挑,比例怎样估计。"""

from __future__ import annotations

from datetime import date
from random import Random

import pytest

from sync.engine import paging
from sync.engine.coverage import DAY
from sync.engine.markets import PERIODS
from sync.engine.ports import Window
from sync.engine.sampling import Estimate, estimate, evenly, window_of

LONG = Window(date(2000, 1, 3), date(2025, 12, 31))


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        # R: binom::binom.wilson, and the closed forms at the ends.
        (0, 10, 0.0, 0.2775),
        (1, 10, 0.0179, 0.4042),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (10, 1000, 0.0054, 0.0183),
        (0, 1000, 0.0, 0.0038),
    ],
)
def test_the_interval_is_wilsons(hits: int, of: int, low: float, high: float) -> None:
    found = estimate(hits, of)

    assert found is not None
    assert found.rate == hits / of
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.00006)


def test_of_nothing_there_is_no_estimate() -> None:
    assert estimate(0, 0) is None


def test_nine_intervals_in_ten_and_more_hold_the_truth() -> None:
    dice = Random(7)
    held = 0
    for _ in range(400):
        hits = sum(dice.random() < 0.01 for _ in range(1000))
        found = estimate(hits, 1000)
        assert isinstance(found, Estimate)
        held += found.low <= 0.01 <= found.high

    assert 0.92 <= held / 400 <= 0.98


def test_each_stratum_has_its_share() -> None:
    ordered = ["HK"] * 60 + ["SH"] * 30 + ["US"] * 10

    for seed in range(50):
        picks = evenly(ordered, 10, Random(seed))
        assert [picks.count(name) for name in ("HK", "SH", "US")] == [6, 3, 1]


def test_more_may_be_wanted_than_there_is() -> None:
    assert sorted(evenly([1, 2], 6, Random(1))) == [1, 1, 1, 2, 2, 2]
    assert evenly([], 6, Random(1)) == []


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("age", range(6))
def test_a_window_lies_in_the_history_and_fits_a_page(period: str, age: int) -> None:
    for seed in range(40):
        window = window_of(LONG, period, age=age, dice=Random(seed))
        assert LONG.start <= window.start <= window.end <= LONG.end
        assert paging.pages(window, period) == 1


def test_ages_are_thirds_of_the_history() -> None:
    third = (LONG.end - LONG.start) / 3
    for age in range(3):
        for seed in range(40):
            window = window_of(LONG, "60m", age=age, dice=Random(seed))
            middle = window.start + (window.end - window.start) / 2
            begin = LONG.start + third * age
            assert begin - 15 * DAY <= middle <= begin + third + 15 * DAY


def test_a_short_history_is_taken_whole() -> None:
    short = Window(date(2026, 1, 5), date(2026, 3, 31))

    assert window_of(short, "day", age=2, dice=Random(3)) == short
