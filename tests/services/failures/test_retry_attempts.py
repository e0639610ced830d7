"""什么算补拉的一次尝试,什么不算。"""

from __future__ import annotations

from threading import Event
from typing import Any

import pytest

from sync.engine.errors import ProviderError, RateLimited, TokenRejected, Unreachable
from sync.engine.plan import Tuning
from sync.engine.ports import Page, PageRequest, Token
from sync.models import SyncFailure, SyncRun
from sync.services import cancel
from sync.services.shards import execution
from sync.storage.failures import RetryFailures
from tests.fixtures import MakeToken, Provider
from tests.rows import AT, PATIENCE, failure, stock
from tests.runs import honest
from tokens.models import ApiToken

from .retries import (
    DONE,
    WAITS,
    Asking,
    executed,
    march,
    outcome,
    registered,
    retried,
    row,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def asking(make_token: MakeToken, provider: Provider) -> Asking:
    """一个 Token,和一个记下请求的服务商。"""
    make_token(minute_limit=0)
    asking = Asking()
    provider(asking)
    return asking


@pytest.mark.parametrize(
    ("reason", "tried"),
    [("no_token", 0), ("provider_down", 0), ("cancelled", 0), ("timeout", 1)],
)
def test_only_the_faults_of_the_stock_and_of_its_calls_count(
    asking: Asking, reason: str, tried: int
) -> None:
    one, failed = stock(), row()

    RetryFailures(registered()).failed([failure(one, reason=reason)], at=AT)

    assert outcome(failed)[:2] == (WAITS, tried)


def test_tokens_at_fault_count_as_no_attempt(asking: Asking) -> None:
    stock("1")
    stock("2")
    rows = [row("1"), row("2", retry_count=2)]
    fault = TokenRejected("Invalid API key in request")
    asking.faults |= {"1": fault, "2": fault}

    run = retried()

    assert [outcome(one) for one in rows] == [
        (WAITS, 0, "timeout"),
        (WAITS, 2, "timeout"),
    ]
    assert {one.last_retry_time for one in SyncFailure.objects.all()} == {None}
    assert (run.state, run.reasons) == ("failed", {"no_token": 2})
    assert not ApiToken.objects.filter(status=ApiToken.Status.ENABLED).exists()


def test_the_rest_of_a_stock_whose_token_is_out_counts_as_no_attempt(
    asking: Asking,
) -> None:
    stock()
    old, new = row(window=march(2, 3)), row(window=march(6, 9))

    def answer(token: Token, request: PageRequest) -> Page:
        if len(asking.asked) == 2:
            raise TokenRejected("Invalid API key in request")
        return honest(token, request)

    asking.answer = answer

    retried()

    assert outcome(new)[:2] == (DONE, 0)
    assert outcome(old) == (WAITS, 0, "timeout")


def test_a_rest_counts_as_no_attempt(asking: Asking, monkeypatch: Any) -> None:
    monkeypatch.setattr(execution, "TUNING", Tuning(beat=0.01, shortest_rest=0.0))
    stock()
    limited = row()

    def answer(token: Token, request: PageRequest) -> Page:
        if len(asking.asked) < 3:
            raise RateLimited("slowly", retry_after=0.0)
        return honest(token, request)

    asking.answer = answer

    run = retried()

    assert (run.calls, len(asking.asked)) == (3, 3)
    assert outcome(limited)[:2] == (DONE, 0)


def test_a_day_without_quota_left_counts_as_no_attempt(
    make_token: MakeToken, provider: Provider
) -> None:
    make_token(minute_limit=0, daily_limit=1)
    provider(honest)
    rows = [row(stock(code).stock_code) for code in ("1", "2", "3")]

    run = retried()

    found = sorted(outcome(one) for one in rows)
    assert found == [(WAITS, 0, "timeout")] * 2 + [(DONE, 0, "timeout")]
    assert (run.state, run.succeeded, run.reasons) == ("waiting", 1, {})


def test_stocks_that_a_provider_which_is_down_was_not_asked_for_count_no_attempt(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The breaker opens within the first stock's attempts.
    tuning = Tuning(beat=0.01, backoff=0.0, breaker_window=3)
    monkeypatch.setattr(execution, "TUNING", tuning)
    rows = [row(stock(code).stock_code) for code in ("1", "2", "3")]
    for one in rows:
        asking.faults[one.stock_code] = ProviderError("503")

    run = retried()

    # The one that was being asked for may be what stopped it.
    assert (run.state, run.reasons) == ("failed", {"no_answer": 1, "provider_down": 2})
    assert len(asking.asked) == 3
    assert {outcome(one) for one in rows} == {(WAITS, 0, "timeout")}


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_retry_that_is_stopped_counts_no_attempt(
    asking: Asking, cancelled: bool
) -> None:
    rows = [row(stock(code).stock_code) for code in ("1", "2", "3")]
    stop = Event()
    run = registered()

    def answer(token: Token, request: PageRequest) -> Page:
        if len(asking.asked) == 1:
            return honest(token, request)
        wishes.append(True) if cancelled else stop.set()
        assert stop.wait(PATIENCE)
        raise Unreachable("cut off")

    wishes: list[bool] = []

    def watch(seen: SyncRun, *_others: object) -> None:
        if wishes:
            cancel(seen.pk, at=AT)

    asking.answer = answer

    ended = executed(run, stop=stop, watch=watch)

    assert ended.state == ("cancelled" if cancelled else "interrupted")
    found = sorted(outcome(one) for one in rows)
    assert found == [(WAITS, 0, "timeout")] * 2 + [(DONE, 0, "timeout")]
    assert SyncFailure.objects.held_by(registered().pk).count() == 2
