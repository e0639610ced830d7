"""The envelope: which answer leads to which leaf."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from sync.engine.errors import (
    BadAnswer,
    Declined,
    MarketNotAllowed,
    ProviderError,
    RateLimited,
    SyncError,
    TokenRejected,
    UnknownSymbol,
)
from sync.engine.ports import Secret
from sync.providers.answers import data_of, retry_after
from sync.providers.http import Answer

from .server import CANARY

SECRET = Secret(CANARY)


def answer(body: Any, *, status: int = 200, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, CaseInsensitiveDict(names), content)


@pytest.mark.parametrize("code", [0, "0", 200, "200", " 0 ", 0.0, "0.0", "00", 200.0])
def test_takes_a_success_code_as_number_or_text(code: object) -> None:
    found = data_of(answer({"code": code, "msg": "ok", "data": [1]}), secret=SECRET)

    assert found == [1]


@pytest.mark.parametrize("data", [None, {}, []])
def test_hands_on_that_there_is_nothing(data: object) -> None:
    found = data_of(answer({"code": 0, "msg": None, "data": data}), secret=SECRET)

    assert found == data


EMBEDDED = 'upstream said {"code":429,"message":"slow down"}'
FIREWALL = b"<!DOCTYPE html><html><body>Access denied</body></html>"
LEAVES: list[tuple[int, Any, type[SyncError]]] = [
    # Did it arrive? What is no JSON did not, nor what a server at fault says.
    (200, b"", ProviderError),
    (200, FIREWALL, ProviderError),
    (200, b"hello", ProviderError),
    (200, b'{"code": 0, "data": [', ProviderError),
    (200, b'{"code": 0, "data": "\xff"}', ProviderError),
    (200, b"[" * 100_000, ProviderError),
    (200, b'{"code":0,"data":' + b"[" * 9000 + b"]" * 9000 + b"}", ProviderError),
    (200, b'{"code": 0, "data": [' + b"9" * 5000 + b"]}", ProviderError),
    (200, b'{"code": 0, "data": [1e99999999999999999999]}', ProviderError),
    (204, b"", ProviderError),
    (302, b"", ProviderError),
    (401, FIREWALL, ProviderError),
    (401, b"\n" * 500 + FIREWALL, ProviderError),
    (401, b"\xef\xbb\xbf" + FIREWALL, ProviderError),
    (403, b"\xef\xbb\xbf<p>invalid token</p>", ProviderError),
    (403, FIREWALL, ProviderError),
    (403, b"", ProviderError),
    (403, b"forbidden", ProviderError),
    (403, {"message": "your address is not allowed"}, ProviderError),
    (403, {"code": 403, "msg": "Forbidden"}, ProviderError),
    (200, {"code": "403", "msg": "no"}, ProviderError),
    (404, b"no such page", ProviderError),
    (407, FIREWALL, ProviderError),
    (500, b"", ProviderError),
    (500, b"[]", ProviderError),
    (500, {"code": "E001"}, ProviderError),
    (500, {"msg": "invalid api key"}, ProviderError),
    (502, b"<html>bad gateway</html>", ProviderError),
    (503, {"message": "maintenance"}, ProviderError),
    (200, {"code": 500, "msg": "oops"}, ProviderError),
    (200, {"code": "503", "msg": None, "data": None}, ProviderError),
    (200, {"code": 1, "msg": "Internal Server Error"}, ProviderError),
    (200, {"code": 1, "msg": "system busy, try again later"}, ProviderError),
    (200, {"code": 0, "msg": "service temporarily unavailable"}, ProviderError),
    # Whose fault is it? The key's or its plan's.
    (401, {"message": "Invalid API key in request"}, TokenRejected),
    (401, b"", TokenRejected),
    (401, b"no key", TokenRejected),
    (200, {"code": "E002", "msg": "bad key"}, TokenRejected),
    (200, {"code": "e002", "msg": None, "data": None}, TokenRejected),
    (200, {"code": 1, "msg": "E002"}, TokenRejected),
    (200, {"code": 401, "msg": "no"}, TokenRejected),
    (200, {"code": 0, "msg": "E002", "data": []}, TokenRejected),
    (403, {"message": "Invalid API key"}, TokenRejected),
    (403, b"auth failed", TokenRejected),
    (400, {"msg": "API key is invalid"}, TokenRejected),
    (200, {"error": {"code": "E002", "message": "x"}}, TokenRejected),
    (429, {}, RateLimited),
    (429, b"<html>slow down</html>", RateLimited),
    (200, {"code": 429, "msg": "slow down"}, RateLimited),
    (200, {"code": "429"}, RateLimited),
    (200, {"code": 0, "msg": "Your request is too much", "data": None}, RateLimited),
    (200, {"error_msg": EMBEDDED}, RateLimited),
    (500, {"error_msg": EMBEDDED}, RateLimited),
    (200, {"error_msg": json.dumps(EMBEDDED)}, RateLimited),
    (200, {"code": 7, "error_msg": "request limit exceeded"}, RateLimited),
    (403, {"message": "Request limit exceeded"}, RateLimited),
    (200, {"code": "E003", "msg": "package has expired"}, RateLimited),
    (200, {"code": 1, "msg": "the key only supports subscribing US"}, MarketNotAllowed),
    (403, {"msg": "your plan only supports subscribing HK"}, MarketNotAllowed),
    # The stock's.
    (200, {"code": "E001", "msg": "x", "data": None}, UnknownSymbol),
    (200, {"code": 1, "msg": "E001"}, UnknownSymbol),
    (200, {"code": 0, "msg": "not found this produce", "data": None}, UnknownSymbol),
    (404, {"code": "E001"}, UnknownSymbol),
    # Nobody knows whose, but it arrived.
    (400, {"msg": "bad kType"}, Declined),
    (404, {"message": "no route"}, Declined),
    (200, {"code": 5, "msg": "something else"}, Declined),
    (200, {"code": "E999"}, Declined),
    (200, {"message": "something else"}, Declined),
    (200, {"code": True, "data": [1]}, Declined),
    (200, {"code": 1, "data": [1]}, Declined),
    (200, {"code": 1, "data": "something else"}, Declined),
    (200, {}, BadAnswer),
    (200, {"data": [1]}, BadAnswer),
    (200, {"code": 0}, BadAnswer),
    (200, b"[]", BadAnswer),
    (200, b"null", BadAnswer),
]


@pytest.mark.parametrize(("status", "body", "leaf"), LEAVES)
def test_leads_to_its_leaf(status: int, body: Any, leaf: type[SyncError]) -> None:
    with pytest.raises(SyncError) as caught:
        data_of(answer(body, status=status), secret=SECRET)

    assert type(caught.value) is leaf


WORDS: list[tuple[str, type[SyncError]]] = [
    ("invalid api key", TokenRejected),
    ("auth failed", TokenRejected),
    ("auth_failed", TokenRejected),
    ("err_auth_failed", TokenRejected),
    ("invalid_api_key", TokenRejected),
    ("package_expired", TokenRejected),
    ("err_e002", TokenRejected),
    ("package has expired", TokenRejected),
    ("E002", TokenRejected),
    ("token expired", TokenRejected),
    ("E003", RateLimited),
    ("E003: out of your plan's limit", RateLimited),
    ("your request is too much", RateLimited),
    ("too many requests", RateLimited),
    ("rate limit exceeded", RateLimited),
    ("rate_limit_exceeded", RateLimited),
    ("too_many_requests", RateLimited),
    ("only_supports_subscribing: HK", MarketNotAllowed),
    ("request limit exceeded", RateLimited),
    ("this key only supports subscribing to HK", MarketNotAllowed),
    ("E001", UnknownSymbol),
    ("not found this produce", UnknownSymbol),
    ("请求过于频繁,请稍后再试", RateLimited),
    ("今日调用次数超限", RateLimited),
    ("认证失败", TokenRejected),
    ("无效的API Key", TokenRejected),
    ("令牌已失效", TokenRejected),
    ("您的套餐已过期", TokenRejected),
    ("股票代码不存在", UnknownSymbol),
    ("系统繁忙", ProviderError),
]
ENVELOPES: list[Callable[[str], Any]] = [
    lambda words: {"code": 0, "msg": words, "data": None},
    lambda words: {"code": "0", "msg": words, "data": {}},
    lambda words: {"code": 200, "message": words, "data": []},
    lambda words: {"code": 1, "msg": words, "data": None},
    lambda words: {"code": "1", "msg": words},
    lambda words: {"code": -1, "error_msg": f"upstream: {words}."},
    lambda words: {"message": words},
    lambda words: {"error": {"code": 7, "message": words}},
    lambda words: {"code": 1, "msg": None, "data": words},
    lambda words: words.encode(),
]


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
@pytest.mark.parametrize(("words", "leaf"), WORDS)
def test_known_words_mean_the_same_in_any_envelope_and_case(
    words: str,
    leaf: type[SyncError],
    case: Callable[[str], str],
    envelope: Callable[[str], Any],
) -> None:
    with pytest.raises(SyncError) as caught:
        data_of(answer(envelope(case(words))), secret=SECRET)

    assert type(caught.value) is leaf
    assert case(words)[:4] in str(caught.value)


@pytest.mark.parametrize("status", [400, 403, 404, 422])
@pytest.mark.parametrize(("words", "leaf"), WORDS)
def test_known_words_mean_the_same_under_a_status_of_refusal(
    words: str, leaf: type[SyncError], status: int
) -> None:
    with pytest.raises(SyncError) as caught:
        data_of(answer({"msg": words}, status=status), secret=SECRET)

    assert type(caught.value) is leaf


@pytest.mark.parametrize("body", [{"code": 1, "msg": "Too MUCH"}, {"code": "E003"}])
def test_words_about_too_much_may_mean_the_size_of_a_batch(body: Any) -> None:
    with pytest.raises(RateLimited) as caught:
        data_of(answer(body), secret=SECRET)

    assert not caught.value.pace


@pytest.mark.parametrize(
    ("body", "status", "headers"),
    [
        ({}, 429, {}),
        ({"code": 429}, 200, {}),
        ({"error_msg": EMBEDDED}, 200, {}),
        ({"msg": "too many requests"}, 200, {}),
        ({"code": 1, "msg": "too much"}, 200, {"Retry_After": "3"}),
    ],
)
def test_some_refusals_can_only_mean_the_pace(
    body: Any, status: int, headers: dict[str, str]
) -> None:
    with pytest.raises(RateLimited) as caught:
        data_of(answer(body, status=status, **headers), secret=SECRET)

    assert caught.value.pace


@pytest.mark.parametrize(
    ("words", "leaf"),
    [("AuthFailed", TokenRejected), ("RateLimitExceeded", RateLimited)],
)
def test_knows_words_without_a_blank_between(words: str, leaf: type[SyncError]) -> None:
    with pytest.raises(leaf):
        data_of(answer({"code": 1, "msg": words}), secret=SECRET)


def test_believes_the_data_before_the_words() -> None:
    body = {"code": 0, "msg": "E001 not found this produce", "data": [1]}

    assert data_of(answer(body), secret=SECRET) == [1]


def test_keeps_numbers_exact_and_lets_no_nan_pass() -> None:
    body = b'{"code":0,"data":[0.1,12345678901234567890,NaN,Infinity,-Infinity]}'

    found = data_of(answer(body), secret=SECRET)

    assert found == [
        Decimal("0.1"),
        12345678901234567890,
        "NaN",
        "Infinity",
        "-Infinity",
    ]
    assert type(found[0]) is Decimal


def test_tells_the_providers_words_on_one_short_line() -> None:
    words = f"first\nsecond \x1b[31m {CANARY} " + "x" * 500

    with pytest.raises(Declined) as caught:
        data_of(answer({"code": 5, "msg": words}), secret=SECRET)

    text = str(caught.value)
    assert text.startswith(
        "The provider answered with code 5: first second [31m **** x"
    )
    assert text.isprintable()
    assert len(text) < 250
    assert CANARY not in text


def test_does_not_show_html_to_people() -> None:
    with pytest.raises(ProviderError) as caught:
        data_of(answer(b"<html>oops</html>", status=500), secret=SECRET)

    assert str(caught.value) == "The provider answered with HTTP 500"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("-3", 0.0),
        ("999999", 3600.0),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 0.0),
        ("Thu, 22 Oct 2026 07:28:00 GMT", 3600.0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e9", None),
        ("Wed, 99 Oct 2026 07:28:30 GMT", None),
    ],
)
def test_reads_how_long_to_rest(text: str, seconds: float | None) -> None:
    headers = {"retry-after": text, "date": "Wed, 21 Oct 2026 07:28:00 GMT"}

    assert retry_after(headers) == seconds


def test_measures_a_date_against_our_clock_where_the_answer_has_none() -> None:
    assert retry_after({"retry-after": "Fri, 01 Jan 2021 00:00:00 GMT"}) == 0.0


def test_says_how_long_the_token_rests() -> None:
    with pytest.raises(RateLimited) as caught:
        data_of(answer({}, status=429, Retry_After="12"), secret=SECRET)

    assert caught.value.retry_after == 12.0


def test_says_nothing_where_the_provider_did_not() -> None:
    with pytest.raises(RateLimited) as caught:
        data_of(answer({"code": 1, "msg": "too much"}), secret=SECRET)

    assert caught.value.retry_after is None
