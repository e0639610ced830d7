from __future__ import annotations

from threading import Event

import pytest

from sync.engine.caller import Next, Verdict, verdict_on
from sync.engine.errors import (
    AddressRefused,
    BadAnswer,
    Declined,
    MarketNotAllowed,
    NoData,
    ProviderError,
    RateLimited,
    SyncError,
    TimedOut,
    TokenFault,
    TokenRejected,
    Transient,
    UnknownSymbol,
    Unreachable,
)
from sync.engine.lanes import Lane
from sync.engine.messages import TokenOut, TokenRests

from .bench import (
    GOOD,
    TRANSIENT,
    Bench,
    only_failure,
    only_part,
)
from .fakes import task


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (TokenRejected("401"), Verdict(Next.OTHER_TOKEN, token_out=True)),
        (AddressRefused("ftp"), Verdict(Next.OTHER_TOKEN, token_out=True)),
        (MarketNotAllowed("plan"), Verdict(Next.OTHER_TOKEN, token_out=True)),
        (RateLimited("slow down"), Verdict(Next.OTHER_TOKEN, rests=60.0)),
        (RateLimited("1", retry_after=7), Verdict(Next.OTHER_TOKEN, rests=7)),
        (RateLimited("0", retry_after=0), Verdict(Next.OTHER_TOKEN, rests=0)),
        (Unreachable("reset"), Verdict(Next.TRY_AGAIN, provider_failed=True)),
        (TimedOut("slow"), Verdict(Next.TRY_AGAIN, provider_failed=True)),
        (ProviderError("503"), Verdict(Next.TRY_AGAIN, provider_failed=True)),
        (UnknownSymbol("E001"), Verdict(Next.GIVE_UP)),
        (NoData("empty"), Verdict(Next.GIVE_UP)),
        (Declined("no"), Verdict(Next.GIVE_UP)),
        (BadAnswer("shape"), Verdict(Next.GIVE_UP)),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_an_error_means_for_the_token_and_the_call(
    error: SyncError, verdict: Verdict
) -> None:
    assert verdict_on(error) == verdict


@pytest.mark.parametrize("fault", [TokenRejected("401"), MarketNotAllowed("plan")])
def test_a_token_fault_costs_the_token_and_not_the_stock(fault: TokenFault) -> None:
    bench = Bench(fault, GOOD, GOOD, GOOD)

    messages = bench.run(task(1), task(2), task(3))

    assert messages[0] == TokenOut(bench.limiters[0], fault)
    assert len(messages[1:]) == 3
    assert bench.tokens_asked == [1, 2, 3, 2]
    assert bench.waited == 0


def test_a_rate_limited_token_rests_as_long_as_it_was_told() -> None:
    bench = Bench(RateLimited("slow down", retry_after=7), GOOD, tokens=1)

    messages = bench.run()

    assert messages[0] == TokenRests(bench.limiters[0], 7, "slow down")
    assert only_part(messages).last
    assert bench.waited == pytest.approx(7)


def test_a_rate_limited_token_rests_a_minute_when_nothing_was_said() -> None:
    bench = Bench(RateLimited("slow down"), GOOD, tokens=1)

    bench.run()

    assert bench.waited == pytest.approx(60)


@pytest.mark.parametrize("retry_after", [0, -5])
def test_retry_after_nothing_still_means_a_rest(retry_after: float) -> None:
    bench = Bench(RateLimited("slow down", retry_after=retry_after), GOOD, tokens=1)

    bench.run()

    assert bench.waited == pytest.approx(1)


def test_while_a_token_rests_another_serves_the_stock_at_once() -> None:
    bench = Bench(RateLimited("slow down"), GOOD)

    bench.run()

    assert bench.tokens_asked == [1, 2]
    assert bench.waited == 0


def test_an_unknown_symbol_fails_the_stock_at_once() -> None:
    bench = Bench(UnknownSymbol("no such code"), GOOD)

    failed, stored = bench.run(task(1), task(2))

    assert only_failure([failed]).reason == "unknown_symbol"
    assert only_part([stored]).task.stock_id == 2
    assert len(bench.asked) == 2


def test_no_data_said_by_the_provider_fails_the_stock() -> None:
    assert only_failure(Bench(NoData("nothing")).run()).reason == "no_data"


@pytest.mark.parametrize("error", TRANSIENT, ids=lambda e: type(e).__name__)
def test_a_passing_error_is_tried_again(error: Transient) -> None:
    bench = Bench(error, error, error, GOOD)

    assert only_part(bench.run()).last
    assert bench.tokens_asked == [1, 2, 3, 1]


@pytest.mark.parametrize("error", TRANSIENT, ids=lambda e: type(e).__name__)
def test_four_attempts_are_enough(error: Transient) -> None:
    bench = Bench(error, error, error, error)

    failure = only_failure(bench.run())

    assert (failure.reason, failure.text) == (error.reason, str(error))
    assert failure.window == failure.task.windows[0]
    assert bench.script == []


@pytest.mark.parametrize(
    ("answers", "errors"),
    [
        ([UnknownSymbol("E001")], 0),
        ([TRANSIENT[0], RateLimited("429"), GOOD], 2),
        ([TokenRejected("401"), GOOD], 1),
    ],
    ids=["the stock's fault", "no answer", "refused"],
)
def test_calls_without_an_answer_are_counted_for_their_token(
    answers: list[Exception], errors: int
) -> None:
    bench = Bench(*answers)

    bench.run()

    counted = [limiter.take_errors() for limiter in bench.limiters]
    assert sum(counted) == errors
    assert max(counted) <= 1  # each by another token
    assert not any(limiter.take_errors() for limiter in bench.limiters)


def test_backoff_grows_and_is_jittered() -> None:
    bench = Bench(*TRANSIENT)

    bench.run()

    first, second, third = bench.clock.waits
    for wait, plain in ((first, 0.5), (second, 1.0), (third, 2.0)):
        assert 0.5 * plain <= wait <= 1.5 * plain
        assert wait != plain


class StopBetween(Event):
    """Somebody stops the run right after the lane has looked whether to stop."""

    lane: Lane

    def is_set(self) -> bool:
        was = super().is_set()
        self.set()
        self.lane.wake.set()
        return was


def test_a_stop_between_the_look_and_the_wait_is_not_missed() -> None:
    bench = Bench()
    bench.lane._caller._stop = stop = StopBetween()
    stop.lane = bench.lane

    with pytest.raises(Exception, match="stopped"):
        bench.lane._caller._pause(100.0)

    assert bench.waited == 0
