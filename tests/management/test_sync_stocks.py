"""sync_stocks:从服务商取得股票列表。"""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from sync import services
from sync.engine.errors import MarketNotAllowed, RateLimited, TokenRejected, Unreachable
from sync.engine.ports import Token
from sync.models import Stock
from sync.models.stocks import StockQuerySet
from sync.providers.itick import ELSEWHERE, NO_STOCK, Listing
from sync.services import clock, stopping
from sync.services.clock import SharedClock
from sync.services.stocks import catalogue
from sync.services.tokens import in_turn
from tokens.models import ApiToken, TokenWish

from ..fixtures import MakeToken
from ..rows import stock

pytestmark = pytest.mark.django_db
LISTED = [Listing("700", "Tencent", "HKEX"), Listing("5", "HSBC", "HKEX")]
Lists = Callable[..., list[tuple[int, str]]]


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch) -> Lists:
    """服务商的回答,按顺序;返回的列表里是问过的 Token 和市场。"""

    def use(*answers: list[Listing] | Exception) -> list[tuple[int, str]]:
        left, asked = list(answers), list[tuple[int, str]]()

        class FakeItick:
            def __init__(self, *, allowed_hosts: object) -> None:
                assert allowed_hosts

            def list_stocks(self, token: Token, market: str) -> list[Listing]:
                asked.append((token.id, market))
                answer = left.pop(0)
                if isinstance(answer, Exception):
                    raise answer
                return answer

            def close(self) -> None:
                pass

        monkeypatch.setattr(catalogue, "ItickClient", FakeItick)
        return asked

    return use


def run(*markets: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("sync_stocks", market=list(markets), stdout=out, **options)
    return out.getvalue()


def refused(*markets: str) -> str:
    with pytest.raises(CommandError) as caught:
        run(*markets)
    assert caught.value.returncode == 1
    return str(caught.value)


def test_an_impossible_exchange_costs_no_stock(
    lists: Lists, make_token: MakeToken, caplog: pytest.LogCaptureFixture
) -> None:
    make_token()
    lists([Listing("700", "Tencent", "E" * 51), Listing("5", "HSBC", "E" * 50)])

    run("HK")

    assert stock_exchanges() == {"700": "", "5": "E" * 50}
    assert "The exchange of HK:700 was left blank" in caplog.text


def stock_exchanges() -> dict[str, str]:
    return dict(Stock.objects.values_list("stock_code", "exchange"))


def no_token_is_held() -> bool:
    return not ApiToken.objects.exclude(leased_by="").exists()


def test_loads_the_list_of_a_market(lists: Lists, make_token: MakeToken) -> None:
    token = make_token(minute_limit=0)
    lists(LISTED)

    assert run("hk") == "HK: created 2, updated 0, unchanged 0\n"

    one = Stock.objects.get(stock_code="700")
    assert (one.market, one.stock_name, one.exchange) == ("HK", "Tencent", "HKEX")
    token.refresh_from_db()
    assert (token.leased_by, token.daily_used, token.reserved) == ("", 1, 0)


def test_several_markets_are_loaded_and_told_as_json(
    lists: Lists, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    stock("1", market="US", stock_name="kept")
    lists(LISTED, [Listing("AAPL", "Apple", "")])

    counts = json.loads(run("HK", "US", json=True))

    one = {"created": 1, "updated": 0, "unchanged": 0}
    assert counts == {"HK": {**one, "created": 2}, "US": one}
    assert Stock.objects.active().filter(market="US").count() == 2


def many(count: int) -> list[Listing]:
    return [Listing(str(code), "", "") for code in range(1, count + 1)]


def test_a_list_far_longer_than_what_is_stored_is_stored_once_confirmed(
    lists: Lists, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    stock("700", stock_name="Tencent")
    stock("701", deleted=True)
    lists(many(1001), many(1001))

    assert refused("HK") == (
        "The provider lists 1,001 stocks for HK, more than ten times as many as are "
        "stored (1). Nothing was changed: each stock costs calls every day. Add "
        "--confirm to store them all."
    )
    assert Stock.objects.active().count() == 1

    assert run("HK", confirm=True) == "HK: created 999, updated 2, unchanged 0\n"


@pytest.mark.parametrize(("here", "listed"), [(1, 1000), (101, 1010)])
def test_a_small_list_and_one_ten_times_as_long_are_stored(
    lists: Lists, make_token: MakeToken, here: int, listed: int
) -> None:
    make_token(minute_limit=0)
    for code in range(1, here + 1):
        stock(str(code))
    lists(many(listed))

    assert run("HK").startswith(f"HK: created {listed - here}, ")


def test_rows_that_do_not_fit_are_left_out_and_counted(
    lists: Lists, make_token: MakeToken, caplog: pytest.LogCaptureFixture
) -> None:
    make_token(minute_limit=0)
    lists(
        [
            *LISTED,
            Listing("x" * 21, "long", ""),
            Listing("6", "n" * 300, ""),
            Listing("00700", "Tencent again", "HK"),
            Listing("2800", "Tracker Fund", "HKEX", left_out=NO_STOCK),
            Listing("000001", "Ping An", "SZ", left_out=ELSEWHERE),
            Listing("600000", "Pudong", "SH", left_out=ELSEWHERE),
        ]
    )

    assert run("HK") == (
        "HK: created 3, updated 0, unchanged 0, repeated 1, "
        "left out 4 (bad row 1, not a stock 1, other exchange 2)\n"
    )

    assert "the stock code is longer than 20 characters" in caplog.text
    assert Stock.objects.get(stock_code="6").stock_name == "n" * 200
    assert Stock.objects.get(stock_code="700").stock_name == "Tencent"


def test_what_is_left_out_is_told_as_json(lists: Lists, make_token: MakeToken) -> None:
    make_token(minute_limit=0)
    lists([*LISTED, Listing("510300", "CSI 300", "HK", left_out=NO_STOCK)])

    counts = json.loads(run("HK", json=True))

    assert counts["HK"]["left_out"] == {"not_a_stock": 1}


def test_another_token_is_tried_when_one_is_refused(
    lists: Lists, make_token: MakeToken
) -> None:
    first, second, third = (make_token(minute_limit=0) for _ in range(3))
    asked = lists(TokenRejected("bad key"), MarketNotAllowed("not in the plan"), LISTED)

    assert run("HK").startswith("HK: created 2,")

    assert asked == [(token.pk, "HK") for token in (first, second, third)]
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == (0, 1)
    assert second.excluded_markets == "HK"
    assert no_token_is_held()


def test_a_token_that_cannot_be_read_does_not_hide_the_next(
    lists: Lists, make_token: MakeToken
) -> None:
    unreadable, good = make_token(minute_limit=0), make_token(minute_limit=0)
    ApiToken.objects.filter(pk=unreadable.pk).update(token="scrambled")
    asked = lists(LISTED)

    assert run("HK").startswith("HK: created 2,")

    assert asked == [(good.pk, "HK")]
    assert no_token_is_held()


def test_a_limited_token_rests_and_another_is_asked(
    lists: Lists, make_token: MakeToken
) -> None:
    first, _second = make_token(minute_limit=0), make_token(minute_limit=0)
    lists(RateLimited("too fast", retry_after=30.0), LISTED)

    assert run("HK").startswith("HK: created 2,")

    first.refresh_from_db()
    assert (first.last_error, first.resting_until is None) == ("too fast", False)


def test_a_list_that_cannot_be_had_is_said_in_one_sentence(
    lists: Lists, make_token: MakeToken
) -> None:
    make_token(minute_limit=0)
    lists(Unreachable("connection refused"))

    text = refused("HK")

    assert text == "The list of HK could not be had: connection refused"
    assert no_token_is_held()


def test_an_empty_list_changes_nothing(lists: Lists, make_token: MakeToken) -> None:
    make_token(minute_limit=0)
    lists([])

    assert refused("HK") == (
        "The provider lists no stocks for HK; nothing was changed."
    )


def test_without_a_token_nobody_is_asked(lists: Lists) -> None:
    asked = lists(LISTED)

    text = refused("HK")

    assert text.startswith("没有可用的 Token: There is no token of itick yet")
    assert asked == []


def test_an_unknown_market_is_refused(lists: Lists, make_token: MakeToken) -> None:
    make_token()
    asked = lists(LISTED)

    text = refused("HK", "XX")

    assert text.startswith("Unknown market 'XX': known are HK, SH, ")
    assert asked == []


def test_a_database_that_is_away_is_said_in_one_sentence(
    lists: Lists, make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_token(minute_limit=0)
    lists(LISTED)

    def away(*_arguments: object, **_options: object) -> None:
        raise OperationalError("gone away")

    monkeypatch.setattr(StockQuerySet, "bulk_create", away)

    assert refused("HK").startswith("The database does not do its work: gone away.")


def hurried(make_token: MakeToken) -> ApiToken:
    """一个 Token,一分钟一次请求,刚刚请求过。"""
    just_now = math.ceil(services.now().timestamp())
    return make_token(minute_limit=1, recent_calls=[[just_now, 1]])


def test_a_token_that_must_wait_its_turn_is_not_marked(
    lists: Lists, make_token: MakeToken
) -> None:
    token = hurried(make_token)
    asked = lists(LISTED)

    with pytest.raises(services.Refused) as caught:
        services.sync_stocks(["HK"])

    told = "Every free token of HK has made its calls of this minute. Try again in "
    assert str(caught.value).startswith(told)
    token.refresh_from_db()
    assert (asked, token.last_error, token.resting_until) == ([], "", None)
    assert (token.leased_by, token.daily_used) == ("", 0)


def test_eight_markets_with_one_free_token_wait_their_turn(
    lists: Lists, make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    markets = ["HK", "US", "SG", "JP", "TW", "DE", "MX", "GB"]
    token = make_token(minute_limit=5)
    asked = lists(*[LISTED] * 8)
    passed = 0.0

    def wait(_why: str, seconds: int) -> bool:
        nonlocal passed
        passed += seconds
        shift = time.time() + passed - time.monotonic()
        monkeypatch.setattr(SharedClock, "_shift", shift)
        return True

    monkeypatch.setattr(clock, "database_time", lambda: time.time() + passed)

    listed = services.sync_stocks(markets, wait=wait)

    assert list(listed) == markets
    assert asked == [(token.pk, market) for market in markets]
    assert 50 <= passed <= 63  # five calls, a minute, three more
    token.refresh_from_db()
    assert (token.last_error, token.daily_used, token.reserved) == ("", 8, 0)


def test_the_command_waits_and_says_for_what(
    lists: Lists, make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = hurried(make_token)
    lists(LISTED)
    err = io.StringIO()

    class Patient(Event):
        def wait(self, timeout: float | None = None) -> bool:
            ApiToken.objects.filter(pk=token.pk).update(recent_calls=[])
            return False

    monkeypatch.setattr(stopping, "Event", Patient)

    assert run("HK", stderr=err).startswith("HK: created 2,")
    assert err.getvalue() == (
        "waiting: Every free token of HK has made its calls of this minute.\n"
    )


def test_a_stop_while_it_waits_leaves_the_rest_and_exits_with_4(
    lists: Lists, make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_token(minute_limit=1)
    lists(LISTED)
    out, err = io.StringIO(), io.StringIO()

    class Stopped(Event):
        def wait(self, timeout: float | None = None) -> bool:
            return True

    monkeypatch.setattr(stopping, "Event", Stopped)

    with pytest.raises(SystemExit) as caught:
        call_command("sync_stocks", market=["HK", "SG"], stdout=out, stderr=err)

    assert caught.value.code == 4
    assert out.getvalue().startswith("HK: created 2,")
    assert err.getvalue().endswith("Stopped. Not loaded: SG.\n")


def test_tokens_that_another_holds_are_waited_for(
    lists: Lists, make_token: MakeToken
) -> None:
    until = services.now() + timedelta(minutes=1)
    token = make_token(minute_limit=0, leased_by="run 7 shard 0 claim 1")
    ApiToken.objects.update(leased_at=until, leased_until=until)
    lists(LISTED)
    reasons: list[tuple[str, int]] = []
    wishes: list[tuple[str, int, int]] = []

    def wait(why: str, seconds: int) -> bool:
        reasons.append((why, seconds))
        # Who holds it sees that somebody waits.
        wishes.extend(TokenWish.objects.values_list("market", "wanted", "calls"))
        ApiToken.objects.filter(pk=token.pk).update(leased_by="", leased_until=None)
        return True

    assert services.sync_stocks(["HK"], wait=wait)["HK"].created == 2
    [(why, seconds)] = reasons
    assert why.startswith("Every usable token with calls left is held by run 7")
    assert seconds == 1
    assert (wishes, TokenWish.objects.count()) == ([("HK", 1, 0)], 0)


def test_a_token_that_has_to_wait_does_not_hide_one_that_is_ready(
    lists: Lists, make_token: MakeToken
) -> None:
    for _ in range(in_turn.ATTEMPTS + 1):
        hurried(make_token)
    ready = make_token(minute_limit=1)
    asked = lists(LISTED)

    assert services.sync_stocks(["HK"])["HK"].created == 2
    assert asked == [(ready.pk, "HK")]
