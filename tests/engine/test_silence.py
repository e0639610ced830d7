"""什么时候算没有了:回答的种类、几天一致、多久,一张表。"""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from sync.engine import silence
from sync.engine.ports import Window
from sync.engine.silence import Nothing, Silence

DAY = date(2026, 3, 10)
UNKNOWN, EMPTY, OLD = Nothing.UNKNOWN, Nothing.EMPTY, Nothing.OLD


@pytest.mark.parametrize(
    ("kind", "answers", "days", "traded", "listed", "gone"),
    [
        # The provider does not know the code.
        (UNKNOWN, 1, 0, True, True, False),
        (UNKNOWN, 2, 1, True, False, False),
        (UNKNOWN, 3, 2, True, True, True),
        (UNKNOWN, 3, 2, False, True, False),
        (UNKNOWN, 9, 12, False, False, False),
        (UNKNOWN, 10, 13, False, True, True),
        # An empty answer.
        (EMPTY, 4, 300, True, True, False),
        (EMPTY, 5, 6, True, True, True),
        (EMPTY, 5, 6, False, True, False),
        (EMPTY, 20, 29, False, True, False),
        (EMPTY, 20, 30, False, True, True),
        (EMPTY, 4, 30, False, True, False),
        # Bars, but old ones.
        (OLD, 4, 900, True, False, False),
        (OLD, 5, 30, True, False, True),
        (OLD, 60, 89, True, True, False),
        (OLD, 60, 90, True, True, True),
    ],
)
def test_a_stock_is_gone_once_enough_answers_agree(
    kind: Nothing, answers: int, days: int, *, traded: bool, listed: bool, gone: bool
) -> None:
    since = DAY - timedelta(days=days)

    said = Silence(kind, answers, since, DAY, traded=traded, listed=listed)

    assert silence.is_gone(said) is gone


@pytest.mark.parametrize(
    ("kind", "silent", "fresh", "believed"),
    [
        (EMPTY, 1, 0, False),
        (UNKNOWN, 1, 0, False),
        (OLD, 1, 0, False),
        (EMPTY, 1, 1, True),
        (EMPTY, 2, 1, False),
        (EMPTY, 3, 9, True),
        (EMPTY, 4, 39, False),
        (EMPTY, 4, 40, True),
        (EMPTY, 500, 4500, False),
        (UNKNOWN, 500, 1, True),
        (OLD, 500, 1, True),
    ],
)
def test_a_day_on_which_many_are_silent_is_not_believed(
    kind: Nothing, silent: int, fresh: int, *, believed: bool
) -> None:
    assert silence.is_believed(kind, silent=silent, fresh=fresh) is believed


@pytest.mark.parametrize(
    ("final", "period", "day"),
    [
        (date(2026, 3, 10), "day", date(2026, 3, 10)),
        (date(2026, 3, 14), "day", date(2026, 3, 13)),
        (date(2026, 3, 15), "1m", date(2026, 3, 13)),
        (date(2026, 3, 11), "week", date(2026, 3, 8)),
        (date(2026, 3, 11), "month", date(2026, 2, 28)),
    ],
)
def test_an_answer_belongs_to_the_last_whole_unit(
    final: date, period: str, day: date
) -> None:
    assert silence.day_of(final, period) == day


def test_what_was_asked_of_long_ago_says_nothing_of_now() -> None:
    years = Window(date(2020, 1, 1), date(2025, 12, 31))
    lately = Window(date(2026, 2, 1), date(2026, 3, 9))

    assert not silence.reaches_now(years, DAY)
    assert silence.reaches_now(lately, DAY)


@pytest.mark.parametrize(
    ("more", "period", "start", "end"),
    [
        (Window(date(2026, 3, 3), date(2026, 3, 4)), "day", 2, 6),
        (Window(date(2026, 3, 9), date(2026, 3, 10)), "day", 2, 10),
        (Window(date(2026, 3, 9), date(2026, 3, 10)), "1m", 2, 10),
    ],
)
def test_a_window_grows(more: Window, period: str, start: int, end: int) -> None:
    row = Window(date(2026, 3, 2), date(2026, 3, 6))

    grown = silence.grown(row, more, period)

    assert grown == Window(date(2026, 3, start), date(2026, 3, end))


@pytest.mark.parametrize(("years", "period"), [(4, "day"), (1, "15m")])
def test_a_window_does_not_grow_over_a_gap_of_pages(years: int, period: str) -> None:
    row, more = Window(DAY, DAY), DAY - timedelta(days=365 * years)

    assert silence.grown(row, Window(more, more), period) is None
    assert silence.grown(Window(more, more), row, period) is None
