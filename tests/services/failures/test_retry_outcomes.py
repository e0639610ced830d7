"""补拉的结果:成功、又失败、放弃。"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sync.engine.errors import UnknownSymbol
from sync.engine.ports import BadBar, Page, PageRequest, Token
from sync.models import Kline, RejectedBar, SyncFailure
from tests.fixtures import MakeToken, Provider
from tests.rows import AT, stock
from tests.runs import BARS, honest, started
from tests.runs import executed as executed_batch

from .retries import DONE, GIVEN_UP, HOUR, WAITS, Asking, march, outcome, retried, row

pytestmark = pytest.mark.django_db
UNKNOWN = UnknownSymbol("the code is not known")


@pytest.fixture
def asking(make_token: MakeToken, provider: Provider) -> Asking:
    """一个 Token,和一个记下请求的服务商。"""
    make_token(minute_limit=0)
    asking = Asking()
    provider(asking)
    return asking


def test_what_is_fetched_is_done(asking: Asking) -> None:
    stock()
    fetched = row(retry_count=1)

    run = retried()

    assert outcome(fetched) == (DONE, 1, "timeout")
    assert (fetched.last_retry_time, fetched.update_time) == (AT, AT)
    assert (fetched.create_time, fetched.run) == (AT, run)
    assert (run.state, run.succeeded, run.failed) == ("succeeded", 1, 0)


def test_what_fails_waits_with_one_more_attempt_and_the_new_reason(
    asking: Asking,
) -> None:
    stock()
    failed = row()
    asking.faults["700"] = UNKNOWN
    later = AT + HOUR

    run = retried(at=later)

    assert outcome(failed) == (WAITS, 1, "unknown_symbol")
    assert failed.failure_reason == "the code is not known"
    assert (failed.last_retry_time, failed.update_time) == (later, later)
    assert (failed.create_time, failed.run) == (AT, run)
    assert (run.state, run.succeeded, run.failed) == ("failed", 0, 1)
    assert run.reasons == {"unknown_symbol": 1}


@pytest.mark.parametrize(
    ("most", "seen"),
    [
        (None, [(WAITS, 1), (WAITS, 2), (GIVEN_UP, 3), (GIVEN_UP, 3)]),
        (1, [(GIVEN_UP, 1), (GIVEN_UP, 1)]),
        (2, [(WAITS, 1), (GIVEN_UP, 2), (GIVEN_UP, 2)]),
        (4, [(WAITS, 1), (WAITS, 2), (WAITS, 3), (GIVEN_UP, 4)]),
    ],
)
def test_at_the_maximum_it_is_given_up(
    asking: Asking, most: int | None, seen: list[tuple[int, int]]
) -> None:
    stock()
    failed = row()
    asking.faults["700"] = UNKNOWN

    found = []
    for turn in range(len(seen)):
        retried(at=AT + turn * HOUR, max_retry_count=most)
        found.append(outcome(failed)[:2])

    assert found == seen
    assert len(asking.asked) == seen[-1][1]


def test_a_retry_adds_no_row(asking: Asking) -> None:
    stock("1")
    stock("2")
    row("1"), row("1", window=march(11, 12)), row("2")
    asking.faults["1"] = UNKNOWN
    before = set(SyncFailure.objects.values_list("pk", flat=True))

    retried()

    assert set(SyncFailure.objects.values_list("pk", flat=True)) == before


def test_rows_of_other_stocks_and_other_states_are_left_alone(asking: Asking) -> None:
    for market in ("HK", "US"):
        stock("1", market=market)
    mine = row("1")
    others = [
        row("1", market="US"),
        row("1", status=DONE),
        row("1", status=GIVEN_UP, retry_count=3),
        row("1", retry_count=3),
        row("1", period="week", retry_count=3),
    ]
    before = [outcome(other) for other in others]

    retried(market="HK")

    assert outcome(mine)[0] == DONE
    assert [outcome(other) for other in others] == before


def test_of_one_stock_the_part_that_is_fetched_is_done_and_the_rest_counts(
    asking: Asking,
) -> None:
    stock()
    old, new = row(window=march(2, 3)), row(window=march(6, 9))
    # The newest window is asked for first, so the second call is for the old one.
    asking.answer = _second_fails(asking)

    run = retried()

    assert outcome(new)[:2] == (DONE, 0)
    assert outcome(old) == (WAITS, 1, "unknown_symbol")
    assert [time.day for time in Kline.objects.values_list("time", flat=True)] == [6, 9]
    assert (run.stocks, run.failed) == (1, 1)


def _second_fails(asking: Asking) -> Any:
    def answer(token: Token, request: PageRequest) -> Page:
        if len(asking.asked) == 2:
            raise UNKNOWN
        return honest(token, request)

    return answer


def test_a_bar_that_cannot_be_used_is_kept_and_asked_for_no_more(
    asking: Asking,
) -> None:
    stock()
    spoiled = row()

    def answer(token: Token, request: PageRequest) -> Page:
        bad = [BadBar("the price is negative", values="c=-1")]
        return replace(honest(token, request), bad=bad)

    asking.answer = answer

    run = retried()

    assert (run.succeeded, run.failed, run.klines) == (1, 0, BARS)
    assert (run.state, run.dropped) == ("succeeded", 1)
    assert outcome(spoiled)[:2] == (DONE, 0)
    assert RejectedBar.objects.get().sent == "c=-1"
    assert not SyncFailure.objects.waiting().exists()


def newest_is_bad(token: Token, request: PageRequest) -> Page:
    page = honest(token, request)
    newest = BadBar("high is below low", page.klines[-1].time, "h=1 l=2")
    return replace(page, klines=page.klines[:-1], bad=[newest])


def test_a_bar_that_cannot_be_used_is_asked_for_once_by_the_next_retry(
    asking: Asking,
) -> None:
    stock()
    asking.answer = newest_is_bad

    first = executed_batch(started())
    again, after = retried(at=AT + HOUR), retried(at=AT + 2 * HOUR)

    assert (first.state, first.succeeded, first.dropped) == ("succeeded", 1, 1)
    assert (again.state, again.succeeded, again.calls) == ("succeeded", 1, 1)
    assert (after.stocks, after.calls) == (0, 0)
    assert len(asking.asked) == 2
    assert RejectedBar.objects.get().run_id == again.pk
    assert [row.status for row in SyncFailure.objects.all()] == [DONE]


def test_a_bar_that_is_sound_when_it_is_asked_for_again_is_stored(
    asking: Asking,
) -> None:
    stock()
    asking.answer = newest_is_bad
    executed_batch(started())
    newest = RejectedBar.objects.get().time
    asking.answer = honest

    run = retried(at=AT + HOUR)

    assert (run.succeeded, run.dropped) == (1, 0)
    assert Kline.objects.filter(time=newest).exists()
    assert not RejectedBar.objects.exists()


@pytest.mark.parametrize(
    "text", ["x" * 600, "汉" * 600, "😀" * 600, "half \ud800", "\u0000", "é" * 499]
)
def test_any_text_is_kept_up_to_500_characters(asking: Asking, text: str) -> None:
    stock()
    failed = row()
    asking.faults["700"] = UnknownSymbol(text)

    retried()

    assert outcome(failed)[:2] == (WAITS, 1)
    assert failed.failure_reason == text.replace("\ud800", "?")[:500]


def test_what_may_have_stopped_a_run_comes_last_in_a_retry(
    asking: Asking, make_token: MakeToken
) -> None:
    for code, columns in (
        ("1", {"reason_class": "provider_error"}),
        ("2", {"reason_class": "provider_down"}),
        ("3", {"reason_class": "unknown_symbol", "retry_count": 2}),
        ("4", {"reason_class": "timeout", "retry_count": 2}),
        ("5", {"reason_class": "no_data"}),
    ):
        stock(code)
        row(code, **columns)

    retried()

    assert [request.code for request in asking.asked] == ["2", "5", "1", "3", "4"]
