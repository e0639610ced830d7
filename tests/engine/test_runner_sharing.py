"""Shared calls in a whole run: many lanes, and whatever goes wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from threading import Event, Lock

import pytest

from sync.engine.errors import (
    BadAnswer,
    RateLimited,
    UnknownSymbol,
    Unreachable,
)
from sync.engine.plan import Limits
from sync.engine.ports import Page, PageRequest, Task, Token

from .fakes import Batch, one_by_one, task
from .setting import Setting, honest, stocks


def test_many_lanes_share_calls_and_every_stock_is_stored_once() -> None:
    setting = Setting(batch_size=10)

    setting.run(stocks(1000))

    assert sorted(setting.store.finished) == list(range(1000))
    assert setting.store.failures == []
    assert setting.progress.calls == 100


def test_a_few_stocks_on_many_lanes_take_no_more_calls_than_on_one() -> None:
    setting = Setting(batch_size=10, limits=Limits(tokens_per_thread=1))

    setting.run(stocks(25))

    assert len(setting.store.finished) == 25
    assert setting.progress.calls <= 4


def test_stocks_that_are_dealt_while_lanes_wait_are_dealt_together() -> None:
    called = Event()

    def batch(token: Token, requests: Sequence[PageRequest]) -> Mapping[str, Page]:
        called.set()
        return one_by_one(honest)(token, requests)

    def slowly() -> Iterator[Task]:
        for number in range(30):
            yield task(number)
            # A lane that saw the first of ten would not wait for the others.
            if number % 10:
                called.wait(0.005)
            called.clear()

    limits = Limits(tokens_per_thread=12, queue_size=10)
    setting = Setting(batch=batch, batch_size=10, limits=limits)

    setting.run(slowly())

    assert setting.progress.calls == 3


def test_a_batch_that_is_too_large_is_told_to_the_ledger() -> None:
    def batch(token: Token, requests: Sequence[PageRequest]) -> Mapping[str, Page]:
        if len(requests) > 3:
            return {}
        return one_by_one(honest)(token, requests)

    setting = Setting(batch=batch, batch_size=8, tokens=2)

    setting.run(stocks(400))

    assert len(setting.store.finished) == 400
    # How many the second token was asked for depends on when its turn came.
    smallest = dict(sorted(setting.ledger.shrunk, reverse=True))
    assert smallest.keys() == {1, 2}
    assert max(smallest.values()) <= 3


def test_a_stop_loses_no_stock_of_a_shared_call() -> None:
    setting = Setting(batch=None, batch_size=10)

    def batch(token: Token, requests: Sequence[PageRequest]) -> Mapping[str, Page]:
        if setting.watchdog.calls.total() == 20:
            setting.stop.set()
        return one_by_one(honest)(token, requests)

    setting.watchdog._batch = batch
    setting.run(stocks(1000))

    done = setting.store.finished
    assert 190 <= len(done) == len(set(done)) < 1000
    assert setting.store.failures == []
    assert setting.progress.succeeded == len(done)


class Troubled:
    """Goes wrong in every way there is, by the dice."""

    def __init__(self, seed: int) -> None:
        self._dice = Random(seed)
        self._lock = Lock()

    def _roll(self) -> float:
        with self._lock:
            return self._dice.random()

    def answer(self, token: Token, request: PageRequest) -> Page:
        roll = self._roll()
        if roll < 0.05:
            raise UnknownSymbol("E001")
        if roll < 0.1:
            raise Unreachable("reset")
        return honest(token, request)

    def batch(
        self, token: Token, requests: Sequence[PageRequest]
    ) -> Mapping[str, Page]:
        roll = self._roll()
        for share, error in (
            (0.1, Unreachable("reset")),
            (0.2, BadAnswer("html")),
            (0.3, UnknownSymbol("E001")),
            (0.4, RateLimited("slow down", retry_after=1)),
        ):
            if roll < share:
                raise error
        if roll < 0.5:
            return {}
        pages = one_by_one(honest)(token, requests)
        return {code: page for code, page in pages.items() if self._roll() < 0.8}


@pytest.mark.parametrize("seed", range(5))
def test_whatever_goes_wrong_each_stock_ends_once(seed: int) -> None:
    trouble = Troubled(seed)
    batch: Batch = trouble.batch
    setting = Setting(answer=trouble.answer, batch=batch, batch_size=7)

    setting.run(stocks(300))

    assert sorted([*setting.store.finished, *setting.failed]) == list(range(300))
    assert set(setting.reasons) <= {"unknown_symbol", "unreachable"}
