from __future__ import annotations

import pytest

from sync.engine.breaker import Breaker
from sync.engine.plan import Tuning

WINDOW = Tuning().breaker_window


def noted(outcomes: list[tuple[int, bool]], *, tokens: int) -> Breaker:
    breaker = Breaker(tokens, window=WINDOW)
    for number, failed in outcomes:
        breaker.note(number, failed=failed)
    return breaker


@pytest.mark.parametrize(
    ("failures", "opens"), [(WINDOW, True), (41, True), (40, False), (0, False)]
)
def test_opens_when_more_than_four_fifths_failed(failures: int, opens: bool) -> None:
    outcomes = [(n % 3, n >= WINDOW - failures) for n in range(WINDOW)]

    assert noted(outcomes, tokens=6).open is opens


def test_stays_shut_until_enough_calls_were_seen() -> None:
    assert not noted([(n % 3, True) for n in range(WINDOW - 1)], tokens=6).open


def test_stays_shut_when_only_two_of_many_tokens_fail() -> None:
    assert not noted([(n % 2, True) for n in range(WINDOW)], tokens=6).open


def test_two_tokens_are_enough_when_there_are_no_more() -> None:
    assert noted([(n % 2, True) for n in range(WINDOW)], tokens=2).open


def test_never_shuts_again() -> None:
    bad = [(n % 3, True) for n in range(WINDOW)]

    assert noted(bad + [(1, False)] * WINDOW, tokens=3).open
