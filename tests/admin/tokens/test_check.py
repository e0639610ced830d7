"""试一个 Token:真的请求一次。"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from sync.engine import errors
from sync.engine.ports import Page, PageRequest, Token
from sync.services.tokens import check as checks
from sync.services.tokens.check import markets_to_check
from tests.fixtures import MakeToken
from tokens.models import ApiToken

from ..people import nora, signed_in, text, vera

pytestmark = pytest.mark.django_db

CANARY = "canary-0123456789-tail"
NOTHING = Page((), None)
SOMETHING = Page((), 1_700_000_000_000)
Asked = list[tuple[str, PageRequest]]
Provider = Callable[[Page | Exception], Asked]


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    """服务商的回答;返回的列表里是问过的主机和问题。"""

    def use(answer: Page | Exception) -> Asked:
        asked: Asked = []

        class FakeItick:
            def __init__(self, *, allowed_hosts: object, deadline: float) -> None:
                assert allowed_hosts
                assert deadline < 30

            def fetch(self, token: Token, request: PageRequest) -> Page:
                asked.append((token.base_url, request))
                held = ApiToken.objects.get(pk=token.id)
                assert held.leased_by.startswith("token check ")
                assert held.reserved
                if isinstance(answer, Exception):
                    raise answer
                return answer

            def close(self) -> None:
                pass

        monkeypatch.setattr("sync.services.tokens.check.ItickClient", FakeItick)
        return asked

    return use


def tina() -> Client:
    return signed_in("tina", "Token keepers")


def check(client: Client, token: ApiToken, *, market: str = "HK") -> Any:
    url = reverse("admin:tokens_apitoken_check", args=[token.pk])
    return client.post(url, {"market": market}, follow=True)


def told(page: Any) -> list[tuple[str, str]]:
    return [(str(said), said.level_tag) for said in page.context["messages"]]


def test_a_token_that_works_is_counted_and_given_back(
    provider: Provider, make_token: MakeToken
) -> None:
    token = make_token(daily_limit=9, base_url="https://api0.itick.org")
    asked = provider(SOMETHING)

    page = check(tina(), token, market="SZ")

    assert told(page) == [("The token works for SZ.", "success")]
    [(host, request)] = asked
    assert host == "https://api0.itick.org"
    assert (request.market, request.code, request.period) == ("SZ", "000001", "day")
    stored = ApiToken.objects.get()
    assert (stored.daily_used, stored.reserved, stored.leased_by) == (1, 0, "")
    assert sum(calls for _second, calls in stored.recent_calls) == 1


@pytest.mark.parametrize(
    ("answer", "said", "level"),
    [
        (errors.UnknownSymbol("E001"), "The token works for HK.", "success"),
        (
            errors.TokenRejected("401"),
            "The provider refused the token; it is disabled now. 401",
            "error",
        ),
        (
            errors.MarketNotAllowed("only subscribing"),
            "The token's plan lacks HK. only subscribing",
            "error",
        ),
        (
            errors.RateLimited("429", retry_after=7.2),
            "Rate limited: it rests for 8 s. 429",
            "warning",
        ),
        (
            errors.TimedOut("no answer in time"),
            "The host could not be reached. no answer in time",
            "error",
        ),
        (
            errors.BadAnswer("not a list"),
            "The provider's answer cannot be used. not a list",
            "error",
        ),
        (
            errors.Declined("code 5"),
            "The provider's answer cannot be used. code 5",
            "error",
        ),
        (
            NOTHING,
            (
                "The provider took the key and gave nothing for HK: the plan may lack "
                "this market."
            ),
            "warning",
        ),
    ],
)
def test_each_answer_is_a_sentence(
    answer: Page | Exception,
    said: str,
    level: str,
    provider: Provider,
    make_token: MakeToken,
) -> None:
    token = make_token()
    provider(answer)

    page = check(tina(), token)

    assert told(page) == [(said, level)]
    stored = ApiToken.objects.get()
    assert (stored.daily_used, stored.leased_by) == (1, "")


def test_what_the_provider_says_counts_as_in_a_run(
    provider: Provider, make_token: MakeToken
) -> None:
    refused, lacking, limited = make_token(), make_token(), make_token()
    client = tina()

    provider(errors.TokenRejected("401"))
    check(client, refused)
    provider(errors.MarketNotAllowed("not in the plan"))
    check(client, lacking)
    provider(errors.RateLimited("429"))
    check(client, limited)

    for token in (refused, lacking, limited):
        token.refresh_from_db()
    assert (refused.status, refused.last_error) == (0, "401")
    assert (lacking.status, lacking.excluded_markets) == (1, "HK")
    assert limited.resting_until is not None


SOON = timedelta(minutes=5)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            {"leased_by": "run 7 shard 0 claim 2", "leased_until": SOON},
            "It is held by run 7; nothing was asked.",
        ),
        (
            {"leased_by": "stock list host:1:2", "leased_until": SOON},
            "It is held by stock list; nothing was asked.",
        ),
        (
            {"daily_limit": 3, "daily_used": 3, "usage_date": True},
            "It is at its daily limit; nothing was asked.",
        ),
        ({"status": 0}, "It is disabled; nothing was asked."),
        ({"expire_time": -SOON}, "It is expired; nothing was asked."),
        ({"deleted": True}, "It is deleted; nothing was asked."),
    ],
)
def test_a_token_that_cannot_be_had_is_not_asked_with(
    columns: dict[str, Any], said: str, provider: Provider, make_token: MakeToken
) -> None:
    at = timezone.now()
    if "usage_date" in columns:
        columns = columns | {"usage_date": at.date()}
    moments = {k: at + v for k, v in columns.items() if isinstance(v, timedelta)}
    token = make_token(**columns | moments)
    asked = provider(NOTHING)

    page = check(tina(), token)

    assert [text for text, _level in told(page)] == [said]
    assert asked == []


def test_a_resting_token_waits(provider: Provider, make_token: MakeToken) -> None:
    token = make_token(resting_until=timezone.now() + SOON)
    asked = provider(NOTHING)

    [(said, level)] = told(check(tina(), token))

    assert said.startswith("It has made its calls of this minute: try again in ")
    assert (level, asked) == ("warning", [])
    stored = ApiToken.objects.get()
    assert (stored.daily_used, stored.reserved, stored.leased_by) == (0, 0, "")


def test_the_pace_of_a_minute_is_kept(
    provider: Provider, make_token: MakeToken
) -> None:
    token, client = make_token(minute_limit=1), tina()
    asked = provider(NOTHING)

    check(client, token)
    [(_said, level)] = told(check(client, token))

    assert (level, len(asked)) == ("warning", 1)


def test_a_value_that_no_key_opens_is_said(
    provider: Provider, make_token: MakeToken, keys: list[str], settings: Settings
) -> None:
    token = make_token()
    settings.TOKEN_ENCRYPTION_KEYS = keys[1:]
    asked = provider(NOTHING)

    [(said, level)] = told(check(tina(), token))

    assert said.startswith("Its value cannot be decrypted: put back the key")
    assert (level, asked) == ("error", [])
    assert ApiToken.objects.get().leased_by == ""


def test_the_page_offers_the_markets_of_the_token(make_token: MakeToken) -> None:
    some = make_token(markets="US,SZ,HK", excluded_markets="US")
    every = make_token()

    assert markets_to_check(some) == ["SZ", "HK", "US"]
    assert markets_to_check(every)[0] == "HK"
    assert markets_to_check(ApiToken(markets="QQ")) == ["HK"]
    page = text(tina().get(reverse("admin:tokens_apitoken_change", args=[some.pk])))
    assert "<option>SZ</option><option>HK</option><option>US</option>" in page


def test_an_unknown_market_is_refused(
    provider: Provider, make_token: MakeToken
) -> None:
    asked = provider(NOTHING)

    [(said, _level)] = told(check(tina(), make_token(), market="XX"))

    assert said.startswith("Unknown market 'XX'")
    assert asked == []


def test_only_who_may_change_tokens_may_try_them(
    provider: Provider, make_token: MakeToken
) -> None:
    token = make_token()
    asked = provider(NOTHING)
    url = reverse("admin:tokens_apitoken_check", args=[token.pk])

    answers = [client.post(url).status_code for client in (vera(), nora())]

    assert answers == [403, 403]
    assert tina().get(url).status_code == 405
    assert asked == []
    page = reverse("admin:tokens_apitoken_change", args=[token.pk])
    assert "Check now" not in text(signed_in("vic", "Viewers").get(page))


def test_the_value_is_in_no_message_and_no_log(
    provider: Provider, make_token: MakeToken, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    token = make_token(value=CANARY)
    provider(errors.TokenRejected("401"))

    page = check(tina(), token)

    assert CANARY not in text(page) + caplog.text
    assert "token %s retired: %s" in [record.msg for record in caplog.records]


def test_a_token_that_may_not_be_sent_to_its_address_is_told_what_to_mend(
    provider: Provider, make_token: MakeToken
) -> None:
    token = make_token(base_url="https://elsewhere.test")
    asked = provider(NOTHING)

    [(said, level)] = told(check(tina(), token))

    assert said == (
        "It may not be sent to its address. "
        "The base URL's host is not one of ITICK_ALLOWED_HOSTS."
    )
    assert (level, asked, ApiToken.objects.get().status) == ("error", [], 1)


# --- one that was refused, one at a time, and hosts that are not the provider ---


@pytest.mark.parametrize(
    ("answer", "status", "forgiven"),
    [
        (SOMETHING, 1, True),
        (errors.RateLimited("429"), 1, True),
        (errors.TokenRejected("401"), 0, False),
        (errors.TimedOut("no answer in time"), 0, False),
    ],
)
def test_a_refused_token_is_tried_and_enabled_where_it_is_taken(
    answer: Page | Exception,
    status: int,
    forgiven: bool,
    provider: Provider,
    make_token: MakeToken,
) -> None:
    token = make_token()
    ApiToken.objects.retire(token.pk, reason="revoked", at=timezone.now())
    asked = provider(answer)

    check(tina(), token)

    token.refresh_from_db()
    assert len(asked) == 1
    assert (token.status, token.refused_at is None) == (status, forgiven)
    newest = token.events.order_by("-pk").first()
    assert newest is not None
    assert (newest.kind, newest.who) == ("checked", "tina")


def test_only_one_token_is_checked_at_a_time(
    provider: Provider, make_token: MakeToken
) -> None:
    soon = timezone.now() + SOON
    first, second = make_token(), make_token()
    ApiToken.objects.filter(pk=first.pk).update(
        leased_by="token check other:1:2", leased_until=soon
    )
    asked = provider(SOMETHING)

    page = check(tina(), second)

    busy = "Another token is being checked: try again in a moment."
    assert told(page) == [(busy, "error")]
    assert asked == []


def test_a_second_check_in_the_same_process_is_refused(make_token: MakeToken) -> None:
    token = make_token()

    with checks._one_at_a_time, pytest.raises(checks.Busy):
        checks.check_token(token, market="HK")

    assert not token.events.exists()


def test_words_of_another_host_are_neither_shown_nor_stored(
    provider: Provider, make_token: MakeToken, settings: Settings
) -> None:
    settings.ITICK_BASE_URL = "http://127.0.0.1:9000"
    usual, other = make_token(), make_token(base_url="http://127.0.0.1:9001")
    provider(errors.TokenRejected("secrets of this machine"))

    client = tina()
    shown, hidden = told(check(client, usual)), told(check(client, other))

    assert "secrets of this machine" in shown[0][0]
    assert "secrets" not in hidden[0][0]
    assert "What this host has answered is not shown." in hidden[0][0]
    other.refresh_from_db()
    stored = [other.last_error, *(str(event.details) for event in other.events.all())]
    assert not any("secrets" in said for said in stored)
