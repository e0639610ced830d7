"""Markets that no token serves: one decision, told once, and the others are done."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from sync.engine.errors import MarketNotAllowed
from sync.engine.ports import Page, PageRequest, Token
from sync.models import RunState, SyncFailure, SyncRun
from sync.services import (
    NoUsableToken,
    SyncRequest,
    execute_shard,
    follow,
    forecast,
    retry_failed,
    retry_hourly,
    start,
    sync_daily,
)
from sync.services.shards.states import ended_state
from sync.services.tokens.serving import Serving, serving
from tests.engine.fakes import FakeClient
from tests.fixtures import MakeToken, Provider
from tests.rows import AT, WINDOW, stock
from tests.runs import (
    BARS,
    NEW_YORK,
    Waiting,
    executed,
    honest,
    no_token_is_held,
    numbers,
    started,
    states,
)
from tests.services.failures.retries import row
from tokens.models import ApiToken

pytestmark = pytest.mark.django_db

FIRST_OR_LAST = pytest.mark.parametrize("other", ["HK", "VN"], ids=["first", "last"])


@pytest.fixture
def asked(provider: Provider, make_token: MakeToken) -> list[FakeClient]:
    """Token 只能用于美国,那里有两只股票。"""
    make_token(minute_limit=0, markets="US")
    stock("A", market="US")
    stock("B", market="US")
    return provider(honest)


@pytest.mark.parametrize(
    ("stocks", "good", "failed", "unserved", "state"),
    [
        (0, 0, 0, [], RunState.SUCCEEDED),
        (3, 3, 0, [], RunState.SUCCEEDED),
        (3, 2, 1, [], RunState.PARTIAL),
        (3, 0, 3, [], RunState.FAILED),
        (0, 0, 0, ["HK"], RunState.FAILED),
        (3, 3, 0, ["HK"], RunState.PARTIAL),
        (3, 0, 3, ["HK"], RunState.PARTIAL),
    ],
)
def test_how_a_run_ends_is_one_decision(
    stocks: int, good: int, failed: int, unserved: list[str], state: RunState
) -> None:
    ended = ended_state(stocks=stocks, good=good, failed=failed, unserved=unserved)

    assert ended == state


@pytest.mark.parametrize(
    ("tokens", "served"),
    [
        ([{}], ["HK", "US"]),
        ([{"markets": "US"}], ["US"]),
        ([{"excluded_markets": "HK"}], ["US"]),
        ([{"markets": "HK"}, {"markets": "US,SH"}], ["HK", "US"]),
        ([{"markets": "US", "status": 0}], []),
        ([{"markets": "US", "deleted": True}], []),
        ([{"markets": "US", "expire_time": AT}], []),
        ([{"markets": "US", "leased_by": "run 9", "leased_until": AT}], ["US"]),
        ([{"daily_limit": 1, "daily_used": 1, "usage_date": AT.date()}], ["HK", "US"]),
        ([], []),
    ],
)
def test_which_markets_are_served_is_asked_once(
    tokens: list[dict[str, Any]],
    served: list[str],
    make_token: MakeToken,
    django_assert_max_num_queries: Any,
) -> None:
    for columns in tokens:
        make_token(**columns)
    with django_assert_max_num_queries(6):
        found = serving(("HK", "US"), at=AT)

    assert list(found.served) == served
    assert set(found.served) | set(found.unserved) == {"HK", "US"}
    assert bool(found.why) == bool(found.unserved)


def test_a_market_whose_tokens_go_bad_later_is_told_with_the_others() -> None:
    found = Serving(("HK", "US"), ("SH",), "first").without("HK", why="second")

    assert found == Serving(("US",), ("SH", "HK"), "first")


@FIRST_OR_LAST
@pytest.mark.usefixtures("asked")
def test_the_served_market_is_done_and_the_other_told_once(other: str) -> None:
    stock("700", market=other)
    stock("5", market=other)

    run = executed(started())

    assert (run.state, numbers(run)) == ("partial", (2, 2, 0, 0, 2 * BARS))
    why = f"没有可用的 Token: No usable token of itick serves {other}."
    assert (run.unserved, run.error) == ([other], why)
    assert run.shards.get().state == "done"
    assert not SyncFailure.objects.exists()
    assert no_token_is_held()


@FIRST_OR_LAST
@pytest.mark.usefixtures("asked")
def test_the_next_run_takes_up_what_was_left(other: str, make_token: MakeToken) -> None:
    stock("5", market=other)
    executed(started())
    again = executed(started())
    make_token(minute_limit=0, markets=other)

    run = executed(started())

    assert (again.state, numbers(again), again.calls) == ("partial", (2, 0, 0, 2, 0), 0)
    assert (run.state, run.unserved, run.error) == ("succeeded", [], "")
    assert numbers(run)[:4] == (3, 1, 0, 2)


@FIRST_OR_LAST
@pytest.mark.usefixtures("asked")
def test_a_market_without_a_token_that_is_up_to_date_is_no_trouble(
    other: str, make_token: MakeToken
) -> None:
    token = make_token(minute_limit=0, markets=other)
    stock("5", market=other)
    executed(started())
    ApiToken.objects.filter(pk=token.pk).update(status=0)

    run = executed(started())

    assert (run.state, run.unserved, numbers(run)[3]) == ("succeeded", [], 3)


@FIRST_OR_LAST
@pytest.mark.usefixtures("asked")
def test_the_command_tells_it_and_exits_with_3(other: str) -> None:
    stock("5", market=other)
    words, out = ("--start", str(WINDOW.start), "--end", str(WINDOW.end)), StringIO()

    with pytest.raises(SystemExit) as caught:
        call_command("sync_klines", *words, "--no-progress", stdout=out)
    with pytest.raises(SystemExit):
        call_command("sync_klines", *words, "--json", stdout=(printed := StringIO()))

    assert caught.value.code == 3
    assert f"serves {other}.\nNothing was asked for of {other}: the next" in (
        out.getvalue()
    )
    assert json.loads(printed.getvalue())["unserved"] == [other]


@pytest.mark.usefixtures("asked")
def test_where_none_of_the_markets_with_stocks_is_served_nothing_is_started() -> None:
    stock("700")

    for wanted in [{"markets": ("HK",)}, {"codes": ("700",)}]:
        with pytest.raises(NoUsableToken, match="serves HK"):
            started(**wanted)
    with pytest.raises(CommandError, match="serves HK"):
        call_command("sync_klines", "--market", "HK", "--start", str(WINDOW.start))

    assert not SyncRun.objects.exists()


@pytest.mark.usefixtures("asked")
def test_shards_decide_it_together() -> None:
    for code in "1234":
        stock(code)
    wanted = SyncRequest(WINDOW.start, WINDOW.end, shards=6)

    run = follow(
        start(wanted, at=AT), stop=Waiting(), watch=lambda *_: None, now=lambda: AT
    )

    # Some of them had stocks of HK only.
    assert states(run) == ["partial", *["done"] * 6]
    assert (run.unserved, run.succeeded, run.failed) == (["HK"], 2, 0)


@pytest.mark.usefixtures("asked")
def test_a_dry_run_leaves_it_out_and_says_so() -> None:
    stock("700")

    found = forecast(SyncRequest(WINDOW.start, WINDOW.end), at=AT)

    assert (found.stocks, found.calls_needed, found.unserved) == (2, 2, ["HK"])


@FIRST_OR_LAST
def test_a_plan_that_turns_out_to_lack_the_market_is_no_failure_of_its_stocks(
    other: str, provider: Provider, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    make_token(minute_limit=0)
    stock("A", market="US")
    for code in "123":
        stock(code, market=other)

    def answer(token: Token, request: PageRequest) -> Page:
        if request.market == other:
            raise MarketNotAllowed("your plan only supports subscribing to US")
        return NEW_YORK.fetch(request)

    provider(answer)

    run = executed(started())

    assert (run.state, run.unserved, run.failed) == ("partial", [other], 0)
    assert numbers(run) == (1, 1, 0, 0, BARS)
    assert run.calls == 3  # each of the two has said so once
    assert not SyncFailure.objects.exists()
    assert no_token_is_held()


def failing(*markets: str) -> dict[str, SyncFailure]:
    return {market: row("700", market=market) for market in markets}


@FIRST_OR_LAST
@pytest.mark.usefixtures("asked")
def test_a_retry_leaves_the_rows_of_the_other_alone_and_heals_the_rest(
    other: str,
) -> None:
    stock("700", market=other)
    stock("700", market="US")
    rows = failing("US", other)

    run = executed(retry_failed(at=AT))

    for found in rows.values():
        found.refresh_from_db()
    healed, left = rows["US"], rows[other]
    assert (run.state, run.unserved, run.succeeded) == ("partial", [other], 1)
    assert f"serves {other}." in run.error
    assert (healed.status, healed.run_id) == (1, run.pk)
    assert (left.status, left.run_id, left.retry_count) == (0, None, 0)


@pytest.mark.usefixtures("asked")
def test_the_hourly_retry_goes_on_healing() -> None:
    stock("700")
    stock("700", market="US")
    rows = failing("HK", "US")

    first = retry_hourly(at=AT)
    assert first is not None
    execute_shard(
        SyncRun.objects.get(pk=first).shards.get().pk, stop=Waiting(), now=lambda: AT
    )

    assert SyncFailure.objects.get(pk=rows["US"].pk).status == 1
    # What is left is of a market that nobody serves: no run for it, hour after hour.
    assert retry_hourly(at=AT) is None
    assert SyncRun.objects.count() == 1


@pytest.mark.usefixtures("asked")
def test_where_only_such_rows_are_left_a_retry_is_refused() -> None:
    stock("700")
    failing("HK")

    with pytest.raises(NoUsableToken, match="No usable token of itick serves HK"):
        retry_failed(at=AT)

    assert not SyncRun.objects.exists()


@pytest.mark.usefixtures("asked")
def test_a_row_without_a_market_is_given_its_own_and_let_go() -> None:
    stock("700")
    stock("9", market="US")
    homeless, other = row("700", market=""), row("9", market="")

    run = executed(retry_failed(at=AT))

    homeless.refresh_from_db()
    other.refresh_from_db()
    assert (run.state, run.unserved) == ("partial", ["HK"])
    assert (homeless.market, homeless.run_id, homeless.status) == ("HK", None, 0)
    assert (other.market, other.status) == ("US", 1)


@pytest.mark.usefixtures("asked")
def test_the_daily_sync_starts_the_others_and_tells_of_it_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for market in ("HK", "SH", "SZ"):
        stock("5", market=market)

    sync_daily(at=AT)

    assert [run.market for run in SyncRun.objects.all()] == ["US"]
    [told] = [line for line in caplog.messages if "No scheduled sync" in line]
    assert told.startswith("No scheduled sync of HK, SH, SZ: No usable token of itick")
