from __future__ import annotations

import pytest

from sync.engine.plan import Limits, deal_tokens, thread_count


@pytest.mark.parametrize(
    ("tokens", "threads"),
    [(0, 1), (1, 1), (5, 1), (6, 1), (11, 1), (12, 2), (59, 9), (60, 10), (100, 10)],
)
def test_thread_count_is_tokens_by_tokens_per_thread(tokens: int, threads: int) -> None:
    assert thread_count(tokens, Limits()) == threads


def test_a_hundred_tokens_per_thread_is_the_way_back_to_one_thread() -> None:
    assert thread_count(99, Limits(tokens_per_thread=100)) == 1


@pytest.mark.parametrize(
    ("tokens", "lanes", "shares"),
    [
        (12, 2, [6, 6]),
        (14, 2, [7, 7]),
        (20, 3, [7, 7, 6]),
        (0, 1, [0]),
        (1, 1, [1]),
    ],
)
def test_first_lanes_get_the_extra_tokens(
    tokens: int, lanes: int, shares: list[int]
) -> None:
    dealt = deal_tokens(range(tokens), lanes)

    assert [len(share) for share in dealt] == shares
    assert sorted(number for share in dealt for number in share) == list(range(tokens))
