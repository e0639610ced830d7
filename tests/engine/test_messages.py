from __future__ import annotations

import pytest

from sync.engine.messages import BARS, LEAST, LaneEnded, Message, MessageQueue
from sync.engine.ports import Part

from .fakes import task
from .setting import EXCHANGE, WINDOW


def part(bars: int) -> Part:
    klines = EXCHANGE.truth(WINDOW)[:1] * bars
    return Part(task(1), klines, None, last=True)


@pytest.mark.parametrize(("bars", "most"), [(1_000, 32), (20, 320), (0, 320)])
def test_is_full_by_bars_and_not_by_parts(bars: int, most: int) -> None:
    results = MessageQueue(BARS)

    for _ in range(most):
        assert not results.full()
        results.put_nowait(part(bars))

    assert results.full()
    assert BARS // LEAST == 320


def test_half_full_by_bars() -> None:
    results = MessageQueue(BARS)
    half = []

    for _ in range(2):
        half.append(results.half_full())
        results.put_nowait(part(BARS // 2))

    assert [*half, results.half_full()] == [False, True, True]


def test_whatever_was_taken_out_makes_room_again() -> None:
    results = MessageQueue(BARS)
    messages: list[Message] = [part(BARS - 2 * LEAST), LaneEnded(1), part(0)]
    for message in messages:
        results.put_nowait(message)
    full = results.full()

    out = [results.get_nowait() for _ in messages]

    assert full
    assert [id(each) for each in out] == [id(each) for each in messages]
    assert results.empty()
    assert results.qsize() == 0
