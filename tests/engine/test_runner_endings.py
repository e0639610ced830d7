from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from threading import Barrier, Lock

import pytest

from sync.engine.errors import (
    LostLease,
    ProviderError,
    TokenRejected,
)
from sync.engine.plan import Limits, Tuning
from sync.engine.ports import (
    Beat,
    Failure,
    Page,
    PageRequest,
    Progress,
    Token,
)

from .fakes import (
    MemoryStore,
)
from .setting import EXCHANGE, Setting, stocks

pytestmark = pytest.mark.timeout(10)


def test_the_breaker_opens_and_the_rest_is_recorded_as_provider_down() -> None:
    def answer(token: Token, request: PageRequest) -> Page:
        raise ProviderError("503")

    setting = Setting(answer)

    setting.run(stocks(200))

    assert sorted(setting.failed) == list(range(200))
    assert setting.reasons["provider_down"] > 150
    assert setting.watchdog.calls.total() < 70


def test_a_stop_in_the_middle_leaves_no_failures_and_loses_nothing() -> None:
    # Of the clock here, which runs whenever a lane waits: no lane is left behind.
    tuning = Tuning(tick=0.005, lanes_stop=1_000.0)
    lock, seen = Lock(), Counter[str]()

    def answer(token: Token, request: PageRequest) -> Page:
        with lock:
            seen[request.code] += 1
            if len(seen) == 40:
                setting.stop.set()
        return EXCHANGE.fetch(request)

    setting = Setting(answer, tuning=tuning)

    setting.run(stocks(5000))

    assert setting.failed == []
    assert sorted(setting.store.finished) == sorted(map(int, seen))
    assert 40 <= len(setting.store.finished) < 5000


def test_a_stop_cuts_calls_that_hang() -> None:
    hanging = Barrier(5, timeout=5)
    lock = Lock()
    waiting = iter(range(4))

    def answer(token: Token, request: PageRequest) -> Page:
        with lock:
            client = setting.clients[next(waiting)]
        hanging.wait()
        return client.hang()

    setting = Setting(answer)
    run = threading.Thread(target=setting.run, args=(stocks(20),))
    run.start()
    hanging.wait()

    setting.stop.set()
    run.join(5)

    assert not run.is_alive()
    setting.check()
    assert setting.failed == []
    assert setting.store.finished == []


def test_a_cancel_seen_at_a_heartbeat_stops_the_run() -> None:
    setting = Setting(store=MemoryStore(cancel_at_beat=1))

    setting.run(stocks(5000))

    assert setting.stop.is_set()
    assert setting.failed == []
    assert len(setting.store.finished) < 5000


def test_a_cancel_while_the_rest_is_given_up_records_no_more() -> None:
    def answer(token: Token, request: PageRequest) -> Page:
        raise TokenRejected("401")

    class Late(MemoryStore):
        def record(self, failures: Sequence[Failure]) -> None:
            super().record(failures)
            setting.stop.set()

    limits = Limits(tokens_per_thread=3, queue_size=10)
    setting = Setting(answer, store=Late(), limits=limits)

    setting.run(stocks(100))

    assert len(setting.failed) == 10


def test_a_lanes_crash_is_raised_after_the_tokens_were_given_back() -> None:
    def answer(token: Token, request: PageRequest) -> Page:
        if request.code == "20":
            raise ZeroDivisionError("a bug")
        return EXCHANGE.fetch(request)

    setting = Setting(answer)

    with pytest.raises(ZeroDivisionError, match="a bug"):
        setting.runner.run(stocks(3000))

    setting.check()
    assert 20 not in setting.store.finished
    assert setting.failed == []


@pytest.mark.parametrize("saves", [0, 1])
def test_a_lost_lease_ends_the_run_and_gives_the_tokens_back(saves: int) -> None:
    setting = Setting(store=MemoryStore(lost_after=saves))

    with pytest.raises(LostLease):
        setting.runner.run(stocks(3000))

    setting.check()
    assert len(setting.store.finished) < 3000


def test_a_lost_lease_at_the_first_heartbeat_makes_no_call() -> None:
    class Lost(MemoryStore):
        def beat(self, progress: Progress) -> Beat:
            raise LostLease("another run has the shard")

    setting = Setting(store=Lost())

    with pytest.raises(LostLease):
        setting.runner.run(stocks(10))

    setting.check()
    assert setting.watchdog.calls.total() == 0


def test_tokens_lost_to_another_run_are_not_used_any_more() -> None:
    setting = Setting(store=MemoryStore(held=frozenset({1, 2, 3})))

    setting.run(stocks(50))

    assert set(setting.watchdog.calls) <= {1, 2, 3}
    assert len(setting.store.finished) == 50


def test_an_observer_that_fails_does_not_end_the_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def watch(progress: Progress) -> None:
        raise BrokenPipeError

    setting = Setting(watch=watch)

    setting.run(stocks(5))

    assert len(setting.store.finished) == 5
    assert "Progress could not be shown" in caplog.text


class Leaving(MemoryStore):
    """轮到别人了就这样说的仓库。"""

    leave = False

    def beat(self, progress: Progress) -> Beat:
        return replace(super().beat(progress), leave=self.leave)


def test_who_leaves_to_others_finishes_what_is_in_hand_and_begins_nothing() -> None:
    lock, seen = Lock(), Counter[str]()

    def answer(token: Token, request: PageRequest) -> Page:
        with lock:
            seen[request.code] += 1
            if len(seen) == 40:
                store.leave = True
        return EXCHANGE.fetch(request)

    def pass_time(_progress: Progress) -> None:
        setting.clock.advance(0.02)

    store = Leaving()
    tuning = Tuning(tick=0.005, beat=0.01, lanes_stop=1_000.0, leave=1_000.0)
    setting = Setting(answer, store=store, tuning=tuning, watch=pass_time)

    setting.run(stocks(5000))

    assert setting.stop.is_set()
    assert setting.failed == []
    assert set(seen.values()) == {1}
    assert sorted(store.finished) == sorted(map(int, seen))
    assert 40 <= len(store.finished) < 5000


def test_who_leaves_to_others_waits_no_longer_than_told_for_a_call() -> None:
    def answer(token: Token, request: PageRequest) -> Page:
        store.leave = True
        return setting.clients[0].hang()

    def pass_time(_progress: Progress) -> None:
        setting.clock.advance(0.02)

    store = Leaving()
    tuning = Tuning(tick=0.005, beat=0.01, leave=0.05)
    setting = Setting(answer, tokens=1, store=store, tuning=tuning, watch=pass_time)

    setting.run(stocks(20))

    assert setting.stop.is_set()
    assert (setting.failed, store.finished) == ([], [])
