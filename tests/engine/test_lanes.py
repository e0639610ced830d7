from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import repeat
from random import Random
from threading import Event

import pytest

from sync.engine.breaker import WINDOW, Breaker
from sync.engine.deck import Deck
from sync.engine.errors import (
    BadAnswer,
    MarketNotAllowed,
    NoData,
    ProviderError,
    RateLimited,
    TimedOut,
    TokenFault,
    TokenRejected,
    Transient,
    UnknownSymbol,
    Unreachable,
)
from sync.engine.caller import BACKOFF, TokenOut, TokenRests
from sync.engine.lanes import Lane, LaneEnded, Message
from sync.engine.pacing import Meter
from sync.engine.ports import Failure, Page, PageRequest, Part, Task, Token, Window

from .fakes import (
    DAY,
    Exchange,
    FakeClient,
    FakeClock,
    daily,
    page,
    task,
    token,
    weekdays,
)

TRANSIENT = [Unreachable("reset"), TimedOut("slow"), ProviderError("503"), BadAnswer("html")]
DAYS = weekdays(date(2024, 5, 1), date(2024, 6, 28))
GOOD = page(daily(weekdays(date(2024, 5, 31), date(2024, 6, 14))))
EMPTY = Page((), None)
BAD = Page(GOOD.klines[:-1], GOOD.oldest_ms, ["2024-06-14: no close"])


class Bench:
    """One lane on one thread; the script's answers come one by one."""

    def __init__(
        self, *script: Page | Exception | Callable[[], Page], tokens: int = 3
    ) -> None:
        self.script = list(script)
        self.asked: list[tuple[int, PageRequest]] = []
        self.messages: list[Message] = []
        self.clock = FakeClock()
        self.stop = Event()
        self.deck = Deck(1, size=100)
        self.breaker = Breaker(tokens)
        self.client = FakeClient(self.answer)
        self.meters = [Meter(token(n), now=0.0) for n in range(1, tokens + 1)]
        for meter in self.meters:
            meter.lease(float("inf"))
            meter.grant(1000, until=float("inf"))
        self.lane = Lane(
            0,
            self.meters,
            connect=lambda: self.client,
            deck=self.deck,
            breaker=self.breaker,
            report=self.messages.append,
            stop=self.stop,
            clock=self.clock,
            dice=Random(1),
        )

    def answer(self, token: Token, request: PageRequest) -> Page:
        self.asked.append((token.id, request))
        given = self.script.pop(0)
        if isinstance(given, Exception):
            raise given
        return given if isinstance(given, Page) else given()

    def run(self, *tasks: Task) -> list[Message]:
        for each in tasks or (task(),):
            self.deck.deal(each)
        self.deck.close()
        self.lane.run()
        assert isinstance(self.messages[-1], LaneEnded)
        return self.messages[:-1]

    @property
    def ended(self) -> LaneEnded:
        last = self.messages[-1]
        assert isinstance(last, LaneEnded)
        return last

    @property
    def tokens_asked(self) -> list[int]:
        return [number for number, _ in self.asked]

    @property
    def waited(self) -> float:
        return self.clock.now()


def served_by(bench: Bench, exchange: Exchange) -> Bench:
    bench.script = []
    bench.client._answer = lambda token, request: (
        bench.asked.append((token.id, request)) or exchange.fetch(request)
    )
    return bench


def only_part(messages: list[Message]) -> Part:
    [part] = [message for message in messages if isinstance(message, Part)]
    return part


def only_failure(messages: list[Message]) -> Failure:
    [failure] = messages
    assert isinstance(failure, Failure)
    return failure


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


@pytest.mark.parametrize("fault", [TokenRejected("401"), MarketNotAllowed("plan")])
def test_a_token_fault_costs_the_token_and_not_the_stock(fault: TokenFault) -> None:
    bench = Bench(fault, GOOD, GOOD, GOOD)

    messages = bench.run(task(1), task(2), task(3))

    assert messages[0] == TokenOut(bench.meters[0], fault)
    assert len(messages[1:]) == 3
    assert bench.tokens_asked == [1, 2, 3, 2]
    assert bench.waited == 0


def test_a_rate_limited_token_rests_as_long_as_it_was_told() -> None:
    bench = Bench(RateLimited("slow down", retry_after=7), GOOD, tokens=1)

    messages = bench.run()

    assert messages[0] == TokenRests(bench.meters[0], 7, "slow down")
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


def test_backoff_grows_and_is_jittered() -> None:
    bench = Bench(*TRANSIENT)

    bench.run()

    first, second, third = bench.clock.waits
    for wait, plain in ((first, 0.5), (second, 1.0), (third, 2.0)):
        assert 0.5 * plain <= wait <= 1.5 * plain
        assert wait != plain
    assert BACKOFF == 0.25


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
    bench = Bench(newer, EMPTY, EMPTY)

    assert only_failure(bench.run()).reason == "no_data"


def test_bad_bars_are_asked_for_once_more() -> None:
    bench = Bench(BAD, GOOD)

    part = only_part(bench.run())

    assert part.dropped == 0
    assert len(part.klines) == 10
    assert bench.tokens_asked == [1, 2]


def test_bars_that_stay_bad_are_dropped_and_counted() -> None:
    bench = Bench(BAD, BAD)

    part = only_part(bench.run())

    assert part.dropped == 1
    assert len(part.klines) == 9


def test_an_answer_newer_than_asked_for_is_tried_again_and_then_a_failure() -> None:
    newest = page(daily(DAYS[-5:]))
    bench = Bench(newest, newest, newest, newest)

    assert only_failure(bench.run()).reason == "bad_data"


def test_the_stock_of_the_last_token_goes_back_when_it_is_out() -> None:
    bench = Bench(TokenRejected("401"), TokenRejected("401"), tokens=2)

    messages = bench.run(task(1), task(2))

    assert [type(message) for message in messages] == [TokenOut, TokenOut]
    assert [t.stock_id for t in bench.deck.drain()] == [1, 2]
    assert bench.ended.error is None


def test_a_stop_puts_the_stock_back() -> None:
    bench = Bench()

    def cut() -> Page:
        bench.stop.set()
        raise Unreachable("aborted")

    bench.script = [cut]

    assert bench.run() == []
    assert [t.stock_id for t in bench.deck.drain()] == [1]
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
    for n in range(WINDOW - 1):
        bench.breaker.note(n % 3, failed=True)

    assert bench.run() == []
    assert [t.stock_id for t in bench.deck.drain()] == [1]


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


# --- pieces -------------------------------------------------------------------------

LONG = Window(date(2024, 3, 1), date(2024, 6, 14))  # four pieces of minutes


def minute_exchange(first: date) -> Exchange:
    stamps = [
        s + 3_600_000 * hour
        for s in daily(weekdays(first, date(2024, 6, 28)))
        for hour in (2, 3, 5, 6)
    ]
    return Exchange(stamps, market="HK", period="1m")


def minutes_task(covered: Window | None = None) -> Task:
    return task(1, LONG, period="1m", covered=covered)


def parts_of(messages: list[Message]) -> Iterator[Part]:
    for message in messages:
        assert isinstance(message, Part)
        yield message


def test_pieces_are_reported_one_by_one_from_the_newest() -> None:
    exchange = minute_exchange(date(2024, 1, 1))
    bench = served_by(Bench(), exchange)

    parts = list(parts_of(bench.run(minutes_task())))

    assert [part.last for part in parts] == [False, False, False, True]
    assert [part.covered.end for part in parts if part.covered] == [
        LONG.end - timedelta(days=30 * n) for n in range(4)
    ]
    got = sorted(k for part in parts for k in part.klines)
    assert got == exchange.truth(LONG)


def test_a_failure_holds_the_hull_of_what_is_left() -> None:
    exchange = minute_exchange(date(2024, 1, 1))
    bench = Bench()
    honest = served_by(bench, exchange).client._answer

    def fail_from_the_third(token: Token, request: PageRequest) -> Page:
        if len(bench.asked) == 2:
            raise UnknownSymbol("gone")
        return honest(token, request)

    bench.client._answer = fail_from_the_third

    *stored, failed = bench.run(minutes_task())

    assert [part.last for part in parts_of(stored)] == [False, False]
    assert only_failure([failed]).window == Window(
        LONG.start, LONG.end - timedelta(days=60)
    )


def test_pieces_before_the_listing_are_done_without_being_asked_for() -> None:
    exchange = minute_exchange(date(2024, 5, 6))
    bench = served_by(Bench(), exchange)

    parts = list(parts_of(bench.run(minutes_task())))

    assert [part.last for part in parts] == [False, True]
    assert parts[-1].covered == Window(LONG.start, date(2024, 5, 15))
    assert [k for part in reversed(parts) for k in part.klines] == exchange.truth(LONG)
    assert len(bench.asked) == 3


def test_a_stock_put_back_asks_only_for_what_is_left() -> None:
    exchange = minute_exchange(date(2024, 1, 1))
    bench = Bench(tokens=1)
    honest = served_by(bench, exchange).client._answer

    def reject_the_third(token: Token, request: PageRequest) -> Page:
        if len(bench.asked) == 2:
            raise TokenRejected("401")
        return honest(token, request)

    bench.client._answer = reject_the_third

    *stored, _out = bench.run(minutes_task())
    [back] = bench.deck.drain()

    assert len(stored) == 2
    assert back.windows == (Window(LONG.start, LONG.end - timedelta(days=60)),)


def test_new_days_are_stored_although_older_years_cannot_be_had() -> None:
    covered = Window(date(2024, 5, 1), date(2024, 6, 7))
    before = Window(date(2015, 1, 1), covered.start - DAY)
    after = Window(covered.end + DAY, date(2024, 6, 14))
    exchange = Exchange(daily(weekdays(date(2024, 5, 6), date(2024, 6, 28))))
    bench = served_by(Bench(), exchange)

    stored, failed = bench.run(task(1, before, after, covered=covered))

    assert only_part([stored]).covered == Window(after.start, after.end)
    assert only_failure([failed]).window == before
