from __future__ import annotations

from datetime import date, timedelta
from itertools import repeat
from threading import Event

import pytest

from sync.engine.errors import (
    BadAnswer,
    Declined,
    SyncError,
    TokenRejected,
    Unreachable,
)
from sync.engine.messages import TokenOut
from sync.engine.plan import Tuning
from sync.engine.ports import BadBar, Page, Task, Window

from .bench import (
    BAD,
    DAYS,
    EMPTY,
    GOOD,
    TRANSIENT,
    Bench,
    only_failure,
    only_part,
)
from .exchange import daily, page
from .fakes import task


def test_a_stock_is_fetched_and_reported_with_its_coverage() -> None:
    bench = Bench(GOOD)

    part = only_part(bench.run())

    assert part.klines == GOOD.klines[1:]
    assert part.covered == Window(date(2024, 6, 3), date(2024, 6, 14))
    assert part.last
    assert bench.ended.error is None
    assert bench.client.closed == 1


def test_tokens_take_turns() -> None:
    bench = Bench(*repeat(GOOD, 6))

    bench.run(*(task(n) for n in range(6)))

    assert bench.tokens_asked == [1, 2, 3, 1, 2, 3]


def test_an_empty_answer_for_a_stock_never_seen_is_no_data() -> None:
    bench = Bench(EMPTY)

    assert only_failure(bench.run()).reason == "no_data"


def test_an_empty_answer_for_a_stock_that_traded_is_asked_again() -> None:
    bench = Bench(EMPTY, GOOD)
    traded = task(1, covered=Window(date(2024, 1, 1), date(2024, 6, 2)))

    assert only_part(bench.run(traded)).last
    assert bench.tokens_asked == [1, 2]


def test_two_empty_answers_for_a_stock_that_traded_are_a_failure() -> None:
    bench = Bench(EMPTY, EMPTY)
    traded = task(1, covered=Window(date(2024, 1, 1), date(2024, 6, 2)))

    assert only_failure(bench.run(traded)).reason == "no_data"


def test_an_empty_page_in_the_middle_is_asked_again_and_not_believed() -> None:
    start, *rest = GOOD.klines[1:]
    newer = page(daily([k.time.date() for k in rest]))
    older = page(daily([GOOD.klines[0].time.date(), start.time.date()]))
    bench = Bench(newer, EMPTY, older)

    part = only_part(bench.run())

    assert list(part.klines) == [start, *rest]
    assert bench.tokens_asked == [1, 2, 3]


def test_two_empty_pages_in_the_middle_fail_the_stock() -> None:
    newer = page(daily([date(2024, 6, 13), date(2024, 6, 14)]))
    bench = Bench(newer, *repeat(EMPTY, 4))

    assert only_failure(bench.run()).reason == "no_data"
    # Others may not see so far; the one that has shown the oldest bar has to.
    assert bench.tokens_asked == [1, 2, 3, 1, 1]


def test_bars_that_cannot_be_used_go_with_the_part_and_the_stock_is_done() -> None:
    bench = Bench(BAD)

    part = only_part(bench.run())

    assert [bar.text for bar in part.rejected] == ["no close"]
    assert (part.last, len(part.klines)) == (True, 9)
    assert bench.tokens_asked == [1]


def test_a_bad_bar_outside_the_window_is_nobodys() -> None:
    outside = BadBar("bad", GOOD.klines[0].time - timedelta(days=30))
    odd = Page(GOOD.klines, GOOD.oldest_ms, [outside])
    bench = Bench(odd)

    assert only_part(bench.run()).rejected == []


def test_a_stock_of_which_no_bar_can_be_used_is_done_with_all_of_them_kept() -> None:
    bad = [BadBar("no close", kline.time) for kline in GOOD.klines]
    bench = Bench(Page((), GOOD.oldest_ms, bad))

    part = only_part(bench.run())

    assert (list(part.klines), len(part.rejected), part.last) == ([], 10, True)
    # It was answered: whoever asks next begins after it.
    assert part.covered == Window(date(2024, 6, 3), date(2024, 6, 14))
    assert bench.tokens_asked == [1]


def test_unsound_bars_that_begin_within_the_window_are_asked_for_no_end() -> None:
    bad = [BadBar("no close", kline.time) for kline in GOOD.klines[4:]]
    stamp = int(GOOD.klines[4].time.timestamp() * 1000)
    bench = Bench(Page((), stamp, bad), *[Page((), stamp, bad[:1])] * 8)

    part = only_part(bench.run())

    assert (list(part.klines), len(part.rejected), part.last) == ([], 7, True)
    assert len(bench.tokens_asked) < 9


def test_unsound_bars_that_were_not_asked_for_are_a_failure() -> None:
    late = GOOD.klines[-1].time + timedelta(days=30)
    bad = [BadBar("no close", late)]
    bench = Bench(Page((), int(late.timestamp() * 1000), bad))

    assert only_failure(bench.run()).reason == "bad_data"


def test_an_older_page_of_bad_bars_does_not_undo_the_newer_ones() -> None:
    newer, older = GOOD.klines[6:], GOOD.klines[:6]
    bad = [BadBar("no close", kline.time) for kline in older]
    bench = Bench(
        page(daily([kline.time.date() for kline in newer])),
        Page((), GOOD.oldest_ms, bad),
    )

    part = only_part(bench.run())

    assert part.klines == newer
    assert len(part.rejected) == 5  # of the sixth nothing was wanted
    assert part.last


def test_a_stock_suspended_all_the_while_is_done_without_a_bar() -> None:
    idle = tuple(kline.time for kline in GOOD.klines)
    bench = Bench(Page((), GOOD.oldest_ms, idle=idle))

    part = only_part(bench.run())

    assert (list(part.klines), part.last) == ([], True)
    assert part.covered == Window(date(2024, 6, 3), date(2024, 6, 14))


@pytest.mark.parametrize("error", [BadAnswer("not a list"), Declined("code 5")])
def test_an_answer_that_arrived_is_asked_for_once_and_no_outage(
    error: SyncError,
) -> None:
    bench = Bench(error)

    assert only_failure(bench.run()).reason == error.reason
    assert bench.tokens_asked == [1]
    assert list(bench.breaker._outcomes) == [(1, False)]


def test_a_stock_put_back_asks_again_for_what_was_not_stored() -> None:
    before = Window(date(2024, 1, 1), date(2024, 2, 1))
    windows = (before, Window(date(2024, 6, 3), date(2024, 6, 14)))
    bench = Bench(BAD, TokenRejected("401"), TokenRejected("401"), tokens=2)

    bench.run(task(1, *windows))

    [left] = bench.queues.drain()
    assert left.windows == (before,)


def test_an_answer_newer_than_asked_for_is_a_failure() -> None:
    newest = page(daily(DAYS[-5:]))
    bench = Bench(newest)

    assert only_failure(bench.run()).reason == "bad_data"


def test_the_stock_of_the_last_token_goes_back_when_it_is_out() -> None:
    bench = Bench(TokenRejected("401"), TokenRejected("401"), tokens=2)

    messages = bench.run(task(1), task(2))

    assert [type(message) for message in messages] == [TokenOut, TokenOut]
    assert sorted(t.stock_id for t in bench.queues.drain()) == [1, 2]
    assert bench.ended.error is None


def test_a_stop_puts_the_stock_back() -> None:
    bench = Bench()

    def cut() -> Page:
        bench.stop.set()
        raise Unreachable("aborted")

    bench.script = [cut]

    assert bench.run() == []
    assert [t.stock_id for t in bench.queues.drain()] == [1]
    assert not bench.breaker._outcomes


def test_a_stop_on_the_last_attempt_is_no_failure() -> None:
    bench = Bench()

    def cut() -> Page:
        bench.stop.set()
        raise Unreachable("aborted")

    bench.script = [*TRANSIENT[:3], cut]

    assert bench.run() == []


def test_an_open_breaker_puts_the_stock_back() -> None:
    bench = Bench(Unreachable("reset"))
    for n in range(Tuning().breaker_window - 1):
        bench.breaker.note(n % 3, failed=True)

    assert bench.run() == []
    assert [t.stock_id for t in bench.queues.drain()] == [1]


def test_what_waits_for_a_token_can_be_taken_by_another_lane() -> None:
    bench = Bench()
    for limiter in bench.limiters:
        limiter.rest(30)
    taken: list[Task] = []

    def other(_event: Event, _seconds: float) -> bool:
        taken.extend(bench.queues.take(0))
        bench.queues.finish()
        return False

    bench.clock.wait = other  # type: ignore[assignment,method-assign]

    assert bench.run() == []
    assert len(taken) == 1
    assert bench.ended.error is None


def test_an_unexpected_error_ends_the_lane_and_is_reported() -> None:
    bench = Bench(ZeroDivisionError("a bug"))

    assert bench.run() == []
    assert isinstance(bench.ended.error, ZeroDivisionError)
    assert bench.client.closed == 1


def test_a_client_that_cannot_be_closed_does_not_hide_the_lanes_end() -> None:
    bench = Bench(GOOD)

    def fail() -> None:
        raise OSError("already gone")

    bench.client.close = fail  # type: ignore[method-assign]

    assert only_part(bench.run()).last
    assert isinstance(bench.ended.error, OSError)
