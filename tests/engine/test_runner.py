from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from random import Random
from threading import Event, Lock

import pytest

from sync.engine.errors import (
    MarketNotAllowed,
    ProviderError,
    RateLimited,
    SyncError,
    TimedOut,
    TokenRejected,
    UnknownSymbol,
)
from sync.engine.garbage import OBJECTS
from sync.engine.messages import BARS, LEAST
from sync.engine.plan import Limits, Tuning
from sync.engine.ports import (
    Failure,
    Grant,
    Page,
    PageRequest,
    Part,
    Progress,
    Saved,
    Task,
    Token,
    Usage,
)
from sync.engine.runner import BATCH_PARTS

from .fakes import (
    MemoryLedger,
    MemoryStore,
    task,
)
from .setting import EXCHANGE, WINDOW, Setting, stocks

pytestmark = pytest.mark.timeout(10)


def test_all_stocks_are_stored() -> None:
    setting = Setting()

    setting.run(stocks(300))

    assert sorted(setting.store.finished) == list(range(300))
    assert setting.failed == []
    assert set(setting.store.covered.values()) == {WINDOW}
    truth = {k.time: k for k in EXCHANGE.truth(WINDOW)}
    assert all(rows == truth for rows in setting.store.klines.values())
    assert setting.progress == Progress(
        stocks=300, succeeded=300, klines=3000, calls=300
    )


def test_twelve_tokens_make_two_lanes_of_six() -> None:
    setting = Setting(limits=Limits())

    setting.run(stocks(5))

    assert setting.runner.tokens_per_thread == [6, 6]
    assert len(setting.clients) == 2


def test_calls_begin_while_other_tokens_are_still_being_reserved() -> None:
    called = Event()

    class SlowLedger(MemoryLedger):
        def reserve(self, usages: Sequence[Usage]) -> list[Grant]:
            if len(self.granted) == 4:  # one for each lane
                assert called.wait(5)
            return super().reserve(usages)

    def answer(_token: Token, request: PageRequest) -> Page:
        called.set()
        return EXCHANGE.fetch(request)

    setting = Setting(answer=answer, ledger=SlowLedger())

    setting.run(stocks(30))

    assert len(setting.store.finished) == 30


def test_what_is_there_is_written_during_the_last_calls() -> None:
    written = Event()

    class Told(MemoryStore):
        def save(self, parts: Sequence[Part]) -> Saved:
            saved = super().save(parts)
            written.set()
            return saved

    def answer(_token: Token, request: PageRequest) -> Page:
        if request.code == "1":
            assert written.wait(5)  # no clock goes on meanwhile
        return EXCHANGE.fetch(request)

    setting = Setting(tokens=6, answer=answer, store=Told())

    setting.run(stocks(2))

    assert sorted(setting.store.finished) == [0, 1]


def test_a_lane_that_ends_is_not_waited_for() -> None:
    setting = Setting(tuning=Tuning(tick=60.0))

    setting.run(stocks(30))

    assert len(setting.store.finished) == 30


def test_tasks_that_run_low_are_not_waited_for() -> None:
    limits = Limits(tokens_per_thread=3, queue_size=5)
    setting = Setting(limits=limits, tuning=Tuning(tick=60.0))

    setting.run(stocks(300))

    assert len(setting.store.finished) == 300


def test_garbage_is_seldom_collected_during_a_run_and_as_usual_after_it() -> None:
    before, usual, seen = gc.get_threshold(), (700, 10, 10), list[int]()
    setting = Setting(watch=lambda _progress: seen.append(gc.get_threshold()[0]))

    # Whatever other tests of this process have made of it.
    gc.set_threshold(*usual)
    try:
        setting.run(stocks(1))
        after = gc.get_threshold()
    finally:
        gc.set_threshold(*before)

    assert min(seen) >= OBJECTS > usual[0]
    assert after == usual


def test_complete_stocks_are_skipped_without_a_call() -> None:
    setting = Setting()
    complete = Task(7, "HK", "7", "day", (), WINDOW, date(2024, 6, 28))

    setting.run([complete, task(1)])

    assert setting.progress == Progress(
        stocks=2, succeeded=1, skipped=1, klines=10, calls=1
    )


def test_no_stocks_is_a_run_that_ends() -> None:
    setting = Setting()

    setting.run([])

    assert setting.progress == Progress()


def test_calls_of_an_earlier_market_are_kept_in_the_progress() -> None:
    setting = Setting(progress=Progress(calls=50))

    setting.runner.run(stocks(10))

    assert setting.progress.calls == 60


@pytest.mark.parametrize("seed", range(6))
def test_every_stock_is_stored_or_failed_exactly_once(seed: int) -> None:
    dice, lock = Random(seed), Lock()
    errors: list[SyncError | None] = [
        TokenRejected("401"),
        MarketNotAllowed("plan"),
        *[RateLimited("slow down", retry_after=3)] * 10,
        *[UnknownSymbol("no such code")] * 10,
        *[TimedOut("slow"), ProviderError("503")] * 25,
        *[None] * 150,
    ]

    def answer(token: Token, request: PageRequest) -> Page:
        with lock:
            error = dice.choice(errors)
        if error:
            raise error
        return EXCHANGE.fetch(request)

    limits = Limits(tokens_per_thread=3, queue_size=dice.choice([1, 7, 1000]))
    setting = Setting(answer, limits=limits, minute_limit=dice.choice([0, 60]))

    setting.run(stocks(120))

    ended = setting.store.finished + setting.failed
    assert sorted(ended) == list(range(120))
    assert setting.progress.succeeded == len(setting.store.finished)
    assert setting.progress.failed == len(setting.failed)
    assert setting.progress.reasons == setting.reasons
    assert set(setting.reasons) <= {
        "unknown_symbol",
        "timeout",
        "provider_error",
        "no_token",
    }
    outs = [number for number, _ in setting.ledger.outs]
    assert len(outs) == len(set(outs))


def test_a_stock_whose_token_is_rejected_is_served_by_another() -> None:
    def answer(token: Token, request: PageRequest) -> Page:
        if token.id <= 5:
            raise TokenRejected("401")
        return EXCHANGE.fetch(request)

    setting = Setting(answer)

    setting.run(stocks(100))

    assert sorted(setting.store.finished) == list(range(100))
    assert max(setting.watchdog.calls[n] for n in range(1, 6)) == 1


def test_when_no_token_is_left_the_rest_fails_with_the_known_text() -> None:
    def answer(token: Token, request: PageRequest) -> Page:
        raise TokenRejected("401")

    setting = Setting(answer, limits=Limits(tokens_per_thread=3, queue_size=10))

    setting.run(stocks(45))

    assert sorted(setting.failed) == list(range(45))
    assert {f.text for f in setting.store.failures} == {"Token不可用"}
    assert {f.window for f in setting.store.failures} == {WINDOW}
    assert sorted(number for number, _ in setting.ledger.outs) == list(range(1, 13))
    assert setting.watchdog.calls.total() == 12


def test_no_token_at_all_fails_every_stock() -> None:
    setting = Setting(tokens=0)

    setting.run(stocks(3))

    assert setting.reasons == {"no_token": 3}


def test_the_daily_limit_is_never_exceeded() -> None:
    setting = Setting(ledger=MemoryLedger(budget=dict.fromkeys(range(1, 13), 5)))

    setting.run(stocks(100))

    assert set(setting.watchdog.calls.values()) == {5}
    assert len(setting.store.finished) == 60


def test_what_the_quota_does_not_suffice_for_is_left_and_no_failure() -> None:
    setting = Setting(ledger=MemoryLedger(budget=dict.fromkeys(range(1, 13), 5)))

    setting.run(stocks(100))

    assert (setting.runner.starved, setting.reasons) == (True, {})
    assert setting.progress.stocks == setting.progress.succeeded == 60


def test_a_quota_that_just_suffices_starves_nobody() -> None:
    setting = Setting(ledger=MemoryLedger(budget=dict.fromkeys(range(1, 13), 5)))

    setting.run(stocks(60))

    assert (setting.runner.starved, setting.progress.succeeded) == (False, 60)


def test_the_minute_limit_is_kept_by_the_whole_run() -> None:
    served: list[tuple[int, float]] = []

    def answer(token: Token, request: PageRequest) -> Page:
        served.append((token.id, setting.clock.now()))
        return EXCHANGE.fetch(request)

    setting = Setting(answer, tokens=6, minute_limit=5)

    setting.run(stocks(60))

    for number in range(1, 7):
        times = sorted(at for token_id, at in served if token_id == number)
        gaps = [later - at for at, later in zip(times, times[5:], strict=False)]
        assert all(gap >= 61 - 1e-6 for gap in gaps)
    assert len(setting.store.finished) == 60


def test_rests_are_reported_to_the_ledger() -> None:
    told = Event()

    def answer(token: Token, request: PageRequest) -> Page:
        if not told.is_set():
            told.set()
            raise RateLimited("slow down", retry_after=9)
        return EXCHANGE.fetch(request)

    setting = Setting(answer, tokens=1)

    setting.run(stocks(2))

    assert setting.ledger.rests == [(1, 9)]
    assert len(setting.store.finished) == 2


@pytest.mark.parametrize("size", [1, 5, 50])
def test_stocks_in_memory_are_bounded_by_the_queue_size(size: int) -> None:
    lock, taken, asked = Lock(), [0], [0]
    ahead = []

    def tasks() -> Iterator[Task]:
        for each in stocks(400):
            with lock:
                taken[0] += 1
                ahead.append(taken[0] - asked[0])
            yield each

    def answer(token: Token, request: PageRequest) -> Page:
        with lock:
            asked[0] += 1
        return EXCHANGE.fetch(request)

    setting = Setting(answer, limits=Limits(tokens_per_thread=3, queue_size=size))

    setting.run(tasks())

    assert len(setting.store.finished) == 400
    assert max(ahead) <= size


def test_lanes_are_held_back_while_the_store_is_slow() -> None:
    called, enough = Counter[str](), Event()
    lock = Lock()
    waiting = BARS // LEAST + 4

    def answer(token: Token, request: PageRequest) -> Page:
        with lock:
            called[request.code] += 1
            if len(called) >= waiting:
                enough.set()
        return EXCHANGE.fetch(request)

    class Slow(MemoryStore):
        called_before = 0

        def save(self, parts: Sequence[Part]) -> Saved:
            if not self.saves:
                assert enough.wait(5)
                self.called_before = len(called)
            return super().save(parts)

    store = Slow()
    setting = Setting(answer, store=store)

    setting.run(stocks(1000))

    assert len(store.finished) == 1000
    assert store.called_before <= waiting + BATCH_PARTS


def test_failures_are_recorded_within_a_second_even_where_nothing_is_stored() -> None:
    recorded = Event()

    class Telling(MemoryStore):
        def record(self, failures: Sequence[Failure]) -> None:
            super().record(failures)
            recorded.set()

    def answer(token: Token, request: PageRequest) -> Page:
        if request.code == "0":
            raise UnknownSymbol("no such code")
        for _ in range(100):
            setting.clock.advance(1.0)
            if recorded.wait(0.01):
                return EXCHANGE.fetch(request)
        raise AssertionError("the failure waits for something else")

    setting = Setting(answer, tokens=1, store=Telling())

    setting.run(stocks(2))

    assert setting.failed == [0]
    assert setting.store.finished == [1]


def test_a_small_minutes_calls_are_made_without_waiting_for_the_coordinator() -> None:
    """Which looks every minute here; five calls are all that the token has."""
    setting = Setting(tokens=1, minute_limit=5, tuning=Tuning(tick=60.0))

    setting.run(stocks(5))

    assert setting.watchdog.calls == {1: 5}
    assert setting.clock.waits == []
