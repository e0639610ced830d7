"""执行一次运行:每一种结局。"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from sync.engine.errors import TokenRejected, UnknownSymbol
from sync.engine.ports import Page, PageRequest, Token
from sync.models import Coverage, Kline, SyncFailure
from sync.services import NoUsableToken
from tests.fixtures import MakeToken, Provider
from tests.rows import AT, WINDOW, stock
from tests.runs import BARS, executed, honest, no_token_is_held, numbers, started
from tokens.models import ApiToken

pytestmark = pytest.mark.django_db


def fails_for(*codes: str) -> Callable[[Token, PageRequest], Page]:
    def answer(token: Token, request: PageRequest) -> Page:
        if request.code in codes:
            raise UnknownSymbol(f"{request.code} is not known")
        return honest(token, request)

    return answer


def test_a_run_that_gets_everything_has_succeeded(
    provider: Provider, make_token: MakeToken
) -> None:
    token = make_token(minute_limit=0)
    for code in "123":
        stock(code)
    clients = provider(honest)

    run = executed(started())

    assert (run.state, run.error, run.request_key) == ("succeeded", "", None)
    assert numbers(run) == (3, 3, 0, 0, 3 * BARS)
    assert (run.calls, run.dropped, run.reasons) == (3, 0, {})
    assert (run.threads, run.tokens_per_thread) == (1, [1])
    assert (run.started_at, run.finished_at) == (AT, AT)
    assert run.shards.get().state == "done"
    assert Kline.objects.count() == 3 * BARS
    assert {row.window for row in Coverage.objects.all()} == {WINDOW}
    token.refresh_from_db()
    assert (token.leased_by, token.daily_used, token.reserved) == ("", 3, 0)
    assert [client.closed for client in clients] == [1]


def test_tokens_and_stocks_are_shared_by_lanes(
    provider: Provider, make_token: MakeToken, settings: Settings
) -> None:
    settings.STOCK_SYNC_TOKENS_PER_THREAD = 2
    for _ in range(5):
        make_token(minute_limit=0)
    stock("1")
    provider(honest)

    run = executed(started())

    assert (run.threads, run.tokens_per_thread) == (2, [3, 2])


def test_what_is_there_already_is_not_asked_for(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    for code in "123":
        stock(code)
    clients = provider(honest)
    executed(started())
    again = started()
    clients.clear()

    with CaptureQueriesContext(connection) as queries:
        run = executed(again)

    assert (run.state, numbers(run)) == ("succeeded", (3, 0, 0, 3, 0))
    assert (run.calls, run.threads, clients) == (0, 0, [])
    statements = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
    assert not [sql for sql in statements if "stk_api_token" in sql]
    # Of the shard: which, claim, how many, its end, whether there are more. Of the
    # run: state, markets, the three of the list, whether a run was stopped there, which
    # stocks are gone, which a split wants compared, lock, shards, what it has finished,
    # end, read again. And who waits for tokens, when it is due and when not; the event
    # that it was taken up. Of a server the time.
    assert len(statements) == 21 + (connection.vendor == "mysql")


def test_without_stocks_there_is_nothing_to_do(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token()
    clients = provider(honest)

    run = executed(started())

    assert (run.state, numbers(run), clients) == ("succeeded", (0, 0, 0, 0, 0), [])


def test_a_run_some_stocks_of_which_fail_is_partial(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    for code in "123":
        stock(code)
    provider(fails_for("2"))

    run = executed(started())

    assert (run.state, numbers(run)) == ("partial", (3, 2, 1, 0, 2 * BARS))
    assert run.reasons == {"unknown_symbol": 1}
    failure = SyncFailure.objects.get()
    assert (failure.market, failure.stock_code, failure.run) == ("HK", "2", run)
    assert failure.failure_reason == "2 is not known"
    assert (failure.start_date, failure.end_date) == (WINDOW.start, WINDOW.end)


def test_a_run_all_stocks_of_which_fail_has_failed(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    stock("1")
    provider(fails_for("1"))

    run = executed(started())

    assert (run.state, numbers(run), run.error) == ("failed", (1, 0, 1, 0, 0), "")
    assert no_token_is_held()


def test_a_stock_that_failed_twice_waits_once(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    stock("1")
    provider(fails_for("1"))

    first, second = executed(started()), executed(started())

    assert first.pk != second.pk
    assert SyncFailure.objects.get().run == second


def test_once_no_token_is_left_the_rest_fails_for_want_of_one(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    for code in "12":
        stock(code)

    def rejecting(_token: Token, _request: PageRequest) -> Page:
        raise TokenRejected("The provider refused the token")

    provider(rejecting)

    run = executed(started())

    assert (run.state, run.reasons) == ("failed", {"no_token": 2})
    reasons = SyncFailure.objects.values_list("failure_reason", flat=True)
    assert list(reasons) == ["Token不可用"] * 2
    token = ApiToken.objects.get()
    assert (token.status, token.leased_by) == (0, "")


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"status": 0}, "No token of itick is enabled."),
        (
            {"daily_limit": 2, "daily_used": 2, "usage_date": AT.date()},
            "Every usable token of itick that serves HK is at its daily limit until",
        ),
    ],
    ids=["disabled", "used up"],
)
def test_a_run_for_which_no_token_is_to_be_had_fails_and_says_why(
    columns: dict[str, Any], why: str, provider: Provider, make_token: MakeToken
) -> None:
    make_token()
    stock("1")
    clients = provider(honest)
    run = started()
    ApiToken.objects.update(**columns)

    with pytest.raises(NoUsableToken) as caught:
        executed(run)

    run.refresh_from_db()
    assert str(caught.value).startswith(f"没有可用的 Token: {why}")
    assert (run.state, run.error) == ("failed", str(caught.value))
    assert (run.shards.get().state, clients) == ("failed", [])
    assert not SyncFailure.objects.exists()


def test_what_nobody_has_foreseen_fails_the_run_and_is_raised(
    provider: Provider, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    stock("1")

    def broken(token: Token, _request: PageRequest) -> Page:
        raise ValueError(f"surprise with {token.secret.reveal()}")

    provider(broken)
    run = started()

    with pytest.raises(ValueError, match="surprise"):
        executed(run)

    run.refresh_from_db()
    assert (run.state, run.error) == ("failed", "ValueError: see the log")
    assert (run.shards.get().state, run.request_key) == ("failed", None)
    assert no_token_is_held()


def test_several_markets_are_done_one_after_the_other(
    provider: Provider, make_token: MakeToken
) -> None:
    hongkong = make_token(minute_limit=0, markets="HK")
    newyork = make_token(minute_limit=0, markets="US")
    stock("1", market="HK")
    stock("2", market="US")
    asked = []

    def answer(token: Token, request: PageRequest) -> Page:
        asked.append((token.id, request.market))
        return honest(token, request)

    provider(answer)

    run = executed(started())

    assert (run.state, numbers(run)) == ("succeeded", (2, 2, 0, 0, 2 * BARS))
    assert asked == [(hongkong.pk, "HK"), (newyork.pk, "US")]
    assert run.calls == 2


def test_no_log_of_a_run_holds_a_tokens_value(
    provider: Provider, make_token: MakeToken, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    make_token(minute_limit=0)
    for code in "12":
        stock(code)
    provider(fails_for("1"))

    executed(started())

    assert "Lane 0 has 1 tokens" in caplog.text
    assert "secret-value" not in caplog.text
