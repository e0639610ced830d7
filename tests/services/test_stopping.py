"""信号请求停下;第二次照系统原来的方式处理。"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from sync.services.stopping import SIGNALS, stop_on_signals


@pytest.fixture
def reached() -> Iterator[list[int]]:
    """到达原来的处理者那里的信号。"""
    numbers: list[int] = []
    before = {
        number: signal.signal(number, lambda got, _frame: numbers.append(got))
        for number in SIGNALS
    }
    yield numbers
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_to_stop_and_a_second_one_goes_the_old_way(
    number: signal.Signals, reached: list[int]
) -> None:
    with stop_on_signals() as stop:
        before = stop.is_set()
        signal.raise_signal(number)
        first = list(reached)
        signal.raise_signal(number)

    assert (before, stop.is_set()) == (False, True)
    assert (first, reached) == ([], [number])


def test_afterwards_signals_go_the_old_way(reached: list[int]) -> None:
    with pytest.raises(ValueError, match="any"), stop_on_signals() as stop:
        raise ValueError("any")

    for number in SIGNALS:
        signal.raise_signal(number)

    assert not stop.is_set()
    assert reached == list(SIGNALS)


def test_one_signal_leaves_the_other_asking(reached: list[int]) -> None:
    with stop_on_signals():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)

    assert reached == []
