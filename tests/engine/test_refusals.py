"""Refusals that may mean the pace or the number of stocks, and refusals without end."""

from __future__ import annotations

from itertools import repeat

import pytest

from sync.engine.errors import RateLimited, RestsLong
from sync.engine.messages import BatchTooLarge, TokenRests
from sync.engine.ports import LeasedToken, Page, Wait
from sync.engine.token_pool import TokenPool

from .bench import EMPTY, GOOD, Bench, Step
from .fakes import FakeClock, MemoryLedger, task, token
from .test_shared_calls import answers, parts, stocks

TOO_MUCH = RateLimited("your request is too much", pace=False)
TOO_FAST = RateLimited("HTTP 429", retry_after=2)


def learned(bench: Bench) -> list[tuple[int, int, int]]:
    return [
        (each.token.id, each.asked, each.batch)
        for each in bench.messages
        if isinstance(each, BatchTooLarge)
    ]


def rests(bench: Bench) -> list[float]:
    return [each.seconds for each in bench.messages if isinstance(each, TokenRests)]


def sizes(bench: Bench) -> list[int]:
    return [len(codes) for _, codes in bench.shared]


def test_a_batch_refused_as_too_much_is_halved_until_it_passes() -> None:
    script: list[Step] = [
        TOO_MUCH,
        TOO_MUCH,
        answers(1, 2),
        answers(3, 4),
        answers(5, 6),
    ]
    bench = Bench(*script, answers(7, 8), answers(9, 10), batch=10, tokens=1)

    bench.run(*stocks(10))

    assert sizes(bench) == [10, 5, 2, 2, 2, 2, 2]
    assert learned(bench) == [(1, 10, 2)]
    assert bench.limiters[0].batch == 2
    assert rests(bench) == []
    assert parts(bench) == list(range(1, 11))


def test_each_token_learns_its_own_size() -> None:
    script: list[Step] = [TOO_MUCH, answers(1, 2), answers(3, 4), answers(5, 6, 7, 8)]
    bench = Bench(*script, batch=4, tokens=2)

    bench.run(*stocks(8))

    assert bench.shared[0][0] == 1
    assert learned(bench) == [(1, 4, 2)]
    assert [limiter.batch for limiter in bench.limiters] == [2, 4]
    assert parts(bench) == list(range(1, 9))


def test_where_one_stock_is_too_much_as_well_it_was_the_pace() -> None:
    script: list[Step] = [TOO_MUCH, TOO_MUCH, TOO_MUCH, GOOD, GOOD, GOOD, GOOD]
    bench = Bench(*script, answers(5, 6, 7, 8), batch=4, tokens=1)

    bench.run(*stocks(8))

    assert rests(bench) == [60]
    assert learned(bench) == []
    assert bench.limiters[0].batch == 4
    assert parts(bench) == list(range(1, 9))


def test_a_429_for_a_batch_is_the_pace_the_first_time_and_the_size_the_second() -> None:
    bench = Bench(TOO_FAST, TOO_FAST, answers(1, 2), answers(3, 4), batch=4, tokens=1)

    bench.run(*stocks(4))

    assert sizes(bench) == [4, 4, 2, 2]
    assert rests(bench) == [2, 4]
    assert learned(bench) == [(1, 4, 2)]


def test_a_429_that_is_over_after_its_rest_teaches_nothing() -> None:
    bench = Bench(TOO_FAST, answers(1, 2, 3, 4), batch=4, tokens=1)

    bench.run(*stocks(4))

    assert rests(bench) == [2]
    assert learned(bench) == []


def test_refusals_in_a_row_rest_twice_as_long_each_time() -> None:
    bench = Bench(*repeat(TOO_FAST, 4), GOOD, TOO_FAST, GOOD, tokens=1)

    bench.run(task(1), task(2))

    assert rests(bench) == [2, 4, 8, 16, 2]
    assert parts(bench) == [1, 2]


@pytest.mark.parametrize(
    ("retry_after", "rested"),
    [
        (1, [1, 2, 4, 8, 16, 32, 64, 900]),
        (0, [1, 2, 4, 8, 16, 32, 64, 900]),
        (None, [60, 120, 900]),
        (3600, [3600]),
        (121, [121]),
    ],
)
def test_refusals_without_end_take_the_token_out_of_the_run(
    retry_after: float | None, rested: list[float]
) -> None:
    endless = RateLimited("slow down", retry_after=retry_after)
    bench = Bench(*repeat(endless, 20), tokens=1)

    bench.run()

    assert rests(bench) == rested
    assert isinstance(bench.limiters[0].out, RestsLong)
    [left] = bench.queues.drain()
    assert left.stock_id == 1


def test_the_other_tokens_go_on_without_it() -> None:
    endless = RateLimited("for long", retry_after=3600)
    bench = Bench(endless, *repeat(GOOD, 4))

    bench.run(*(task(n) for n in range(1, 5)))

    assert parts(bench) == [1, 2, 3, 4]
    assert bench.tokens_asked == [1, 2, 3, 2, 3]


def pool(clock: FakeClock, *rests: float, minute_limit: int = 0) -> TokenPool:
    tokens = [
        LeasedToken(token(n, minute_limit=minute_limit), rests=seconds)
        for n, seconds in enumerate(rests, 1)
    ]
    return TokenPool(tokens, ledger=MemoryLedger(), clock=clock)


def test_says_how_long_all_tokens_have_to_wait_and_why() -> None:
    clock = FakeClock()
    both = pool(clock, 30, 20)
    both.limiters[1].refused(20, text="slow down")

    assert both.waits() == Wait(clock.epoch() + 20, "slow down")


def test_says_nothing_while_a_token_can_be_used() -> None:
    assert pool(FakeClock(), 30, 0).waits() is None
    assert pool(FakeClock(), 1, 1).waits() is None


def test_says_that_the_calls_of_this_minute_are_made() -> None:
    clock = FakeClock()
    one = pool(clock, 0, minute_limit=1)
    one.limiters[0].end(clock.now())

    wait = one.waits()

    assert wait is not None
    assert wait.until - clock.epoch() == pytest.approx(61)
    assert wait.why == ""


def test_an_empty_page_of_one_stock_is_an_answer() -> None:
    bench = Bench(TOO_FAST, EMPTY, TOO_FAST, GOOD, tokens=1)

    bench.run(task(1), task(2))

    assert rests(bench) == [2, 2]
    assert isinstance(EMPTY, Page)
