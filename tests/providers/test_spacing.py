"""The gaps between a page's bars must fit the period asked for."""

from __future__ import annotations

from typing import Any

import pytest

from sync.engine.errors import BadAnswer
from sync.providers.pages import build

from .server import DAY, START, asking, bar

MINUTE = 60_000


def stamped(gaps: list[int]) -> list[dict[str, Any]]:
    stamps = [START]
    for gap in gaps:
        stamps.append(stamps[-1] + gap)
    return [bar(t=stamp) for stamp in stamps]


HOUR = 60 * MINUTE
FITTING = [
    ("1m", [MINUTE] * 20),
    ("60m", [HOUR, HOUR, HOUR * 3 // 2, HOUR, HOUR, 18 * HOUR] * 4),
    ("day", [DAY] * 4 + [3 * DAY]),
    ("day", [DAY - HOUR] * 6),
    ("day", [11 * DAY] + [DAY] * 12),
    ("week", [7 * DAY] * 12),
    ("week", [5 * DAY, 9 * DAY] * 6),
    ("month", [28 * DAY, 31 * DAY, 30 * DAY] * 5),
    # Seldom traded: no two bars side by side, at no regular distance.
    ("1m", [7 * MINUTE, 2 * MINUTE, 31 * MINUTE, 5 * MINUTE] * 4),
    ("day", [5 * DAY, 12 * DAY, 8 * DAY] * 4),
    # Too few to tell.
    ("day", [MINUTE] * 3),
    ("1m", [DAY] * 9),
]


@pytest.mark.parametrize(("period", "gaps"), FITTING)
def test_takes_gaps_that_fit_the_period(period: str, gaps: list[int]) -> None:
    page = build(stamped(gaps), request=asking(period=period))

    assert page.klines


TWICE = [
    ("week", [2 * DAY, 5 * DAY] * 12, 12),  # Wednesday's and Friday's
    ("week", [DAY, 6 * DAY] * 12, 12),
    ("week", [2 * DAY, 5 * DAY, 7 * DAY] * 8, 16),
    ("month", [15 * DAY, 16 * DAY, 14 * DAY, 15 * DAY] * 5, 10),
    ("day", [10 * HOUR, 14 * HOUR] * 4, 4),
]


@pytest.mark.parametrize(("period", "gaps", "units"), TWICE)
def test_a_unit_stamped_twice_has_one_bar_the_later(
    period: str, gaps: list[int], units: int
) -> None:
    rows = stamped(gaps[:-1])
    for place, row in enumerate(rows):
        row["v"] = place

    page = build(rows, request=asking(period=period))

    assert len(page.klines) == units
    assert page.doubled == len(rows) - units
    assert page.klines[0].volume == 1


MISFITS = [
    ("week", [DAY, DAY, 3 * DAY, DAY], "closer"),  # Thursday to Wednesday
    ("5m", [MINUTE] * 4, "closer"),
    ("60m", [30 * MINUTE] * 20, "closer"),
    ("day", [HOUR] * 20, "closer"),
    ("week", [DAY, DAY, DAY, DAY, 3 * DAY] * 4, "closer"),
    ("month", [7 * DAY] * 10, "closer"),
    ("day", [86_400] * 10, "closer"),  # stamps in seconds
    ("1m", [5 * MINUTE] * 10, "further"),
    ("30m", [HOUR, HOUR, HOUR * 3 // 2, HOUR, HOUR, 18 * HOUR] * 4, "further"),
    ("60m", [DAY] * 10, "further"),
    ("day", [7 * DAY] * 10, "further"),
    ("week", [30 * DAY] * 10, "further"),
    ("month", [91 * DAY] * 10, "further"),
]


@pytest.mark.parametrize(("period", "gaps", "told"), MISFITS)
def test_refuses_bars_of_another_period(
    period: str, gaps: list[int], told: str
) -> None:
    with pytest.raises(BadAnswer, match=told):
        build(stamped(gaps), request=asking(period=period))
