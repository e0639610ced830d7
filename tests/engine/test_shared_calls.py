"""One call for several stocks, and what becomes of each of them."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import repeat

import pytest

from sync.engine.errors import (
    RateLimited,
    SyncError,
    TokenRejected,
    UnknownSymbol,
    Unreachable,
)
from sync.engine.messages import BatchTooLarge, TokenOut, TokenRests
from sync.engine.paging import Walk
from sync.engine.ports import Failure, Page, Part, Task, Window

from .bench import BAD, DEEP, EMPTY, GOOD, TRANSIENT, Bench
from .exchange import Exchange, daily, page, weekdays
from .fakes import task

SHORT = page(daily(weekdays(date(2024, 6, 12), date(2024, 6, 14))))
FIRST = page(daily([date(2024, 6, 12)]))
OLDER = page(daily(weekdays(date(2024, 5, 30), date(2024, 6, 12))))


def stocks(count: int) -> list[Task]:
    return [task(number) for number in range(1, count + 1)]


def answers(*numbers: int, found: Page = GOOD) -> dict[str, Page]:
    return {str(number): found for number in numbers}


def parts(bench: Bench) -> list[int]:
    """The stocks that are complete, in the order in which they were reported."""
    found = [each for each in bench.messages if isinstance(each, Part)]
    return [part.task.stock_id for part in found if part.last]


def failures(bench: Bench) -> dict[int, str]:
    found = [each for each in bench.messages if isinstance(each, Failure)]
    return {failure.task.stock_id: failure.reason for failure in found}


def too_large(bench: Bench) -> list[tuple[int, int, int]]:
    """Token, stocks asked for, stocks it may be asked for from now on."""
    found = [each for each in bench.messages if isinstance(each, BatchTooLarge)]
    return [(each.token.id, each.asked, each.batch) for each in found]


def test_one_call_serves_as_many_stocks_as_the_token_allows() -> None:
    bench = Bench(answers(1, 2, 3), answers(4, 5, 6), GOOD, batch=3)

    bench.run(*stocks(7))

    assert bench.shared == [(1, ["1", "2", "3"]), (2, ["4", "5", "6"])]
    assert bench.tokens_asked == [3]
    assert parts(bench) == [1, 2, 3, 4, 5, 6, 7]
    assert sum(limiter.calls for limiter in bench.limiters) == 3


def test_each_stock_gets_its_own_bars_and_nothing_beyond_its_window() -> None:
    exchange = Exchange(daily(weekdays(date(2024, 1, 1), date(2024, 6, 28))))
    wide, narrow = (
        Window(date(2024, 6, 3), date(2024, 6, 12)),
        Window(date(2024, 6, 10), date(2024, 6, 14)),
    )
    bench = Bench(batch=2)
    bench.client._batch = lambda _token, requests: {
        request.code: exchange.fetch(request) for request in requests
    }

    bench.run(task(1, wide), task(2, narrow))

    first, second = (each for each in bench.messages if isinstance(each, Part))
    assert (first.klines, first.covered) == (exchange.truth(wide), wide)
    assert (second.klines, second.covered) == (exchange.truth(narrow), narrow)


def test_tokens_of_one_stock_a_call_serve_single_stocks_in_the_same_lane() -> None:
    bench = Bench(GOOD, answers(2, 3), GOOD, answers(5, 6), tokens=2, batch=(1, 2))

    bench.run(*stocks(6))

    assert bench.tokens_asked == [1, 1]
    assert bench.shared == [(2, ["2", "3"]), (2, ["5", "6"])]
    assert parts(bench) == [1, 2, 3, 4, 5, 6]


def test_a_stock_missing_from_the_answer_is_asked_for_by_itself() -> None:
    bench = Bench(answers(1, 3), GOOD, batch=3)

    bench.run(*stocks(3))

    assert parts(bench) == [1, 2, 3]
    assert [request.code for _, request in bench.asked] == ["2"]
    assert failures(bench) == {}


def test_a_stock_that_is_missing_alone_as_well_has_failed() -> None:
    bench = Bench(answers(1, 3), UnknownSymbol("no such code"), batch=3)

    bench.run(*stocks(3))

    assert (parts(bench), failures(bench)) == ([1, 3], {2: "unknown_symbol"})


def test_a_page_with_bad_bars_is_taken_as_it_is() -> None:
    bench = Bench(answers(1) | answers(2, found=BAD), batch=2)

    bench.run(*stocks(2))

    assert parts(bench) == [1, 2]
    assert not bench.asked


def test_a_page_newer_than_asked_for_counts_as_missing() -> None:
    newest = page(daily(weekdays(date(2024, 6, 20), date(2024, 6, 28))))
    bench = Bench(answers(1) | answers(2, found=newest), GOOD, batch=2)
    alone = Walk(task(2), task(2).windows[0]).request()

    bench.run(*stocks(2))

    assert parts(bench) == [1, 2]
    assert [request for _, request in bench.asked] == [alone]


def test_a_page_that_ends_too_early_is_gone_on_from_alone() -> None:
    bench = Bench(answers(1) | answers(2, found=SHORT), OLDER, batch=2)

    bench.run(*stocks(2))

    [(_, request)] = bench.asked
    assert parts(bench) == [1, 2]
    assert request.code == "2"
    assert SHORT.oldest_ms is not None
    assert 0 < request.end_ms - SHORT.oldest_ms < 86_400_000


def test_a_listing_inside_the_window_is_proved_alone() -> None:
    both = answers(1) | answers(2, found=SHORT)
    bench = Bench(both, FIRST, batch=2, depth=DEEP)

    bench.run(*stocks(2))

    second = [each for each in bench.messages if isinstance(each, Part)][1]
    assert (len(second.klines), second.covered) == (3, second.task.windows[0])


def test_an_empty_answer_is_no_data_only_after_each_stock_was_asked_alone() -> None:
    bench = Bench({}, {}, *repeat(EMPTY, 4), batch=4)

    bench.run(*stocks(4))

    assert failures(bench) == dict.fromkeys((1, 2, 3, 4), "no_data")
    assert bench.shared == [(1, ["1", "2", "3", "4"]), (2, ["1", "2"])]
    assert len(bench.asked) == 4
    assert too_large(bench) == []
    assert [limiter.batch for limiter in bench.limiters] == [4, 4, 4]


def test_an_empty_answer_for_stocks_that_have_data_lowers_the_batch_size() -> None:
    bench = Bench({}, answers(1, 2), answers(3, 4), answers(5, 6), batch=4, tokens=1)

    bench.run(*stocks(6))

    assert [codes for _, codes in bench.shared] == [
        ["1", "2", "3", "4"],
        ["1", "2"],
        ["3", "4"],
        ["5", "6"],
    ]
    assert too_large(bench) == [(1, 4, 2)]
    assert parts(bench) == [1, 2, 3, 4, 5, 6]


def test_a_batch_size_goes_down_to_one_stock_a_call() -> None:
    bench = Bench({}, {}, *repeat(GOOD, 5), batch=4, tokens=1)

    bench.run(*stocks(5))

    assert too_large(bench) == [(1, 4, 2), (1, 2, 1)]
    assert bench.limiters[0].batch == 1
    assert len(bench.asked) == 5
    assert parts(bench) == [1, 2, 3, 4, 5]


def test_a_size_that_has_been_answered_before_is_not_too_large() -> None:
    bench = Bench(answers(1, 2), {}, GOOD, GOOD, answers(5, 6), batch=2, tokens=1)

    bench.run(*stocks(6))

    assert too_large(bench) == []
    assert parts(bench) == [1, 2, 3, 4, 5, 6]


def test_only_the_token_that_came_back_empty_is_lowered() -> None:
    bench = Bench({}, answers(1, 2), answers(3, 4), tokens=2, batch=4)

    bench.run(*stocks(4))

    assert too_large(bench) == [(1, 4, 2)]
    assert [limiter.batch for limiter in bench.limiters] == [2, 4]


@pytest.mark.parametrize("error", [UnknownSymbol("E001"), *TRANSIENT])
def test_a_call_that_fails_for_good_fails_no_stock(error: SyncError) -> None:
    times = 1 if isinstance(error, UnknownSymbol) else 4
    bench = Bench(*repeat(error, times), GOOD, GOOD, batch=2)

    bench.run(*stocks(2))

    assert (parts(bench), failures(bench)) == ([1, 2], {})
    assert len(bench.shared) == times
    assert len(bench.asked) == 2


def test_a_rate_limited_token_leaves_the_call_to_another() -> None:
    bench = Bench(RateLimited("slow down"), answers(1, 2), batch=2)

    bench.run(*stocks(2))

    assert isinstance(bench.messages[0], TokenRests)
    assert [number for number, _ in bench.shared] == [1, 2]
    assert parts(bench) == [1, 2]


def test_another_token_is_asked_for_no_more_than_it_allows() -> None:
    bench = Bench(TokenRejected("401"), answers(1, 2), GOOD, tokens=3, batch=(3, 2, 1))

    bench.run(*stocks(3))

    assert isinstance(bench.messages[0], TokenOut)
    assert bench.shared == [(1, ["1", "2", "3"]), (2, ["1", "2"])]
    assert bench.tokens_asked == [3]
    assert parts(bench) == [1, 2, 3]


def test_another_token_of_one_stock_a_call_is_asked_for_one() -> None:
    bench = Bench(TokenRejected("401"), GOOD, GOOD, GOOD, tokens=2, batch=(3, 1))

    bench.run(*stocks(3))

    assert len(bench.shared) == 1
    assert [request.code for _, request in bench.asked] == ["1", "2", "3"]
    assert parts(bench) == [1, 2, 3]


def test_without_a_token_all_stocks_of_the_call_go_back_in_order() -> None:
    bench = Bench(TokenRejected("401"), tokens=1, batch=3)

    bench.run(*stocks(4))

    assert [t.stock_id for t in bench.queues.drain()] == [1, 2, 3, 4]
    assert bench.ended.error is None


def test_without_a_token_the_stocks_that_were_answered_are_kept() -> None:
    bench = Bench(answers(1, 3), TokenRejected("401"), tokens=1, batch=3)

    bench.run(*stocks(3))

    assert parts(bench) == [1]
    assert [t.stock_id for t in bench.queues.drain()] == [2, 3]


def test_a_stop_in_a_shared_call_puts_all_its_stocks_back() -> None:
    bench = Bench(batch=3)

    def cut(*_: object) -> dict[str, Page]:
        bench.stop.set()
        raise Unreachable("aborted")

    bench.client._batch = cut

    assert bench.run(*stocks(3)) == []
    assert [t.stock_id for t in bench.queues.drain()] == [1, 2, 3]


def test_a_day_for_many_stocks_takes_a_tenth_of_the_calls() -> None:
    bench = Bench(batch=10)
    day = Window(date(2024, 6, 14), date(2024, 6, 14))
    before = Window(date(2024, 1, 1), day.start - timedelta(days=1))
    bench.client._batch = lambda _token, requests: {
        request.code: GOOD for request in requests
    }

    bench.run(*(task(number, day, covered=before) for number in range(1, 101)))

    assert len(parts(bench)) == 100
    assert sum(limiter.calls for limiter in bench.limiters) == 10
