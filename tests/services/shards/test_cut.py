"""一次运行分成几个分片。"""

from __future__ import annotations

import pytest
from pytest_django import Settings

from sync.services.shards.cut import FINE, MOST_SHARDS, WHOLE, Cut, capacity, cut
from sync.services.work.slices import Slice


@pytest.mark.parametrize(
    ("wanted", "background", "tokens", "expected"),
    [
        (0, True, 60, WHOLE),
        (0, True, 61, Cut(2 * FINE, 2)),
        (0, True, 120, Cut(2 * FINE, 2)),
        (0, True, 121, Cut(3 * FINE, 3)),
        (0, False, 120, WHOLE),
        (5, False, 1, Cut(5, 5)),
        (2, True, 600, Cut(2, 2)),
    ],
)
def test_as_many_shards_as_wanted_or_as_the_tokens_call_for(
    wanted: int, background: bool, tokens: int, expected: Cut
) -> None:
    assert (
        cut(wanted=wanted, background=background, tokens=tokens, stocks=1000)
        == expected
    )


@pytest.mark.parametrize(
    ("stocks", "expected"),
    [(0, WHOLE), (1, WHOLE), (3, Cut(3, 2)), (8, Cut(2 * FINE, 2))],
)
def test_no_more_shards_than_stocks(stocks: int, expected: Cut) -> None:
    assert cut(wanted=0, background=True, tokens=120, stocks=stocks) == expected


def test_there_is_a_most_of_shards() -> None:
    many = cut(wanted=0, background=True, tokens=60 * 30, stocks=10_000)

    assert many == Cut(MOST_SHARDS, 30)


def test_what_one_process_can_use_follows_the_settings(settings: Settings) -> None:
    settings.STOCK_SYNC_TOKENS_PER_THREAD = 100
    settings.STOCK_SYNC_MAX_THREADS = 3

    assert capacity() == 300
    assert cut(wanted=0, background=True, tokens=300, stocks=1000) == WHOLE


def test_every_stock_is_in_one_slice() -> None:
    slices = [Slice(number, 3) for number in range(3)]

    for stock in range(1, 20):
        assert sum(part.holds(stock) for part in slices) == 1
