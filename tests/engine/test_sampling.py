"""抽样:区间和样本怎样挑,比例怎样估计。"""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import pairwise
from random import Random

import pytest

from sync.engine import paging
from sync.engine.coverage import DAY
from sync.engine.periods import PERIODS
from sync.engine.ports import Window
from sync.engine.sampling import (
    Estimate,
    Third,
    estimate,
    evenly,
    page_count,
    page_of,
    thirds,
)

SHARES = {"HK": 60, "SH": 30, "SZ": 0, "US": 10}
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


def test_each_stratum_has_its_share_and_nothing_comes_twice() -> None:
    strata = [Third(name, 0, pages) for name, pages in SHARES.items()]

    for seed in range(50):
        picks = evenly(strata, 10, Random(seed))
        named = [name for name, _page in picks]
        assert [named.count(name) for name in SHARES] == [6, 3, 0, 1]
        assert len(set(picks)) == 10
        assert all(0 <= page < SHARES[name] for name, page in picks)


def test_each_page_has_the_same_chance() -> None:
    strata = [Third(name, 0, pages) for name, pages in SHARES.items()]
    drawn = Counter(
        pick for seed in range(4000) for pick in evenly(strata, 10, Random(seed))
    )

    assert len(drawn) == 100
    assert all(300 < times < 500 for times in drawn.values())


def test_more_than_there_is_are_all_of_it() -> None:
    picks = evenly([Third("HK", 2, 2), Third("SH", 0, 1)], 60, Random(1))

    assert picks == [("HK", 2), ("HK", 3), ("SH", 0)]
    assert evenly([], 6, Random(1)) == []


@pytest.mark.parametrize("period", PERIODS)
def test_pages_are_the_whole_history_side_by_side(period: str) -> None:
    count = page_count(LONG, period)
    windows = [page_of(LONG, period, number) for number in range(count)]

    assert (windows[0].start, windows[-1].end) == (LONG.start, LONG.end)
    for older, newer in pairwise(windows):
        assert newer.start == older.end + DAY
    assert {paging.pages(window, period) for window in windows} == {1}


@pytest.mark.parametrize("pages", [1, 2, 3, 4, 10, 11])
def test_thirds_are_all_pages(pages: int) -> None:
    found = thirds("HK", pages)

    assert len(found) == 3
    assert [n for t in found for n in range(t.first, t.first + t.pages)] == list(
        range(pages)
    )
    assert max(t.pages for t in found) - min(t.pages for t in found) <= 1
