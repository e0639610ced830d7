"""What is sent, and to whom."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from sync.engine.errors import (
    AddressRefused,
    ProviderError,
    TokenRejected,
    Unreachable,
)
from sync.providers.itick import ItickClient

from .server import CANARY, Server, answer, asking, bar, token

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def test_asks_for_the_page_in_the_providers_words(
    server: Server, client: ItickClient
) -> None:
    request = asking(market="SH", code="600519", limit=500)

    client.fetch(token(server.url), request)

    (seen,) = server.seen
    assert seen.path == "/stock/kline"
    assert seen.query == {
        "region": "SH",
        "code": "600519",
        "kType": "8",
        "limit": "500",
        "et": str(request.end_ms),
    }


@pytest.mark.parametrize(
    ("period", "number"),
    [
        ("1m", "1"),
        ("5m", "2"),
        ("15m", "3"),
        ("30m", "4"),
        ("60m", "5"),
        ("day", "8"),
        ("week", "9"),
        ("month", "10"),
    ],
)
def test_knows_the_number_of_each_period(
    server: Server, client: ItickClient, period: str, number: str
) -> None:
    client.fetch(token(server.url), asking(period=period))

    assert server.seen[0].query["kType"] == number


def test_sends_the_token_in_its_header_and_nowhere_else(
    server: Server, client: ItickClient
) -> None:
    client.fetch(token(server.url), asking())

    (seen,) = server.seen
    assert seen.headers["token"] == CANARY
    assert seen.headers["accept"] == "application/json"
    holders = [name for name, value in seen.headers.items() if CANARY in value]
    assert holders == ["token"]
    assert CANARY not in str(seen.query)


def test_keeps_the_path_of_the_base_url(server: Server, client: ItickClient) -> None:
    client.fetch(token(f"{server.url}/v1/"), asking())

    assert server.seen[0].path == "/v1/stock/kline"


def test_uses_one_connection_for_several_requests(
    server: Server, client: ItickClient
) -> None:
    for _ in range(3):
        client.fetch(token(server.url), asking())

    assert len(server.seen) == 3
    assert len({seen.peer for seen in server.seen}) == 1


def test_a_connection_that_was_closed_meanwhile_is_opened_again(
    server: Server, client: ItickClient
) -> None:
    closing = {"Connection": "close"}
    server.script = answer({"code": 0, "data": [bar()]}, headers=closing)

    for _ in range(3):
        assert client.fetch(token(server.url), asking()).klines

    assert len(server.seen) == len({seen.peer for seen in server.seen}) == 3


def test_a_connection_that_was_closed_without_a_word_is_opened_again(
    server: Server, client: ItickClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer_and_close(handler: BaseHTTPRequestHandler) -> None:
        answer({"code": 0, "data": [bar()]})(handler)
        handler.close_connection = True

    server.script = answer_and_close
    closed = threading.Event()
    finish = server.shutdown_request

    def finished(request: Any) -> None:
        finish(request)
        closed.set()

    monkeypatch.setattr(server, "shutdown_request", finished)

    for _ in range(2):
        assert client.fetch(token(server.url), asking()).klines
        assert closed.wait(5)
        closed.clear()

    assert len(server.seen) == len({seen.peer for seen in server.seen}) == 2


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://[::1]", ("::1", 80)),
        ("https://[::1]/v1", ("::1", 443)),
        ("http://[::1]:9000", ("::1", 9000)),
        ("https://api.itick.org", ("api.itick.org", 443)),
    ],
)
def test_connects_to_the_host_and_the_port_of_the_base_url(
    client: ItickClient,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    asked: tuple[str, int],
) -> None:
    seen: list[object] = []

    def refuse(address: object, *_timeout: object) -> socket.socket:
        seen.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", refuse)

    with pytest.raises(Unreachable, match="refused"):
        client.fetch(token(url), asking())

    assert seen == [asked]


def test_each_call_has_its_own_token_and_its_own_query(
    server: Server, client: ItickClient
) -> None:
    one, other = token(server.url, value="key-1"), token(server.url, value="key-2")

    for number, held in enumerate([one, other, one, one], 1):
        client.fetch(held, asking(code=str(number)))

    asked = [(seen.headers["token"], seen.query["code"]) for seen in server.seen]
    assert asked == [("key-1", "1"), ("key-2", "2"), ("key-1", "3"), ("key-1", "4")]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_follows_no_redirect(
    server: Server, other: Server, client: ItickClient, status: int
) -> None:
    server.script = answer(b"", status=status, headers={"Location": other.url})

    with pytest.raises(ProviderError, match=str(status)):
        client.fetch(token(server.url), asking())

    assert len(server.seen) == 1
    assert other.seen == []


def test_ignores_a_proxy_in_the_environment(
    server: Server,
    other: Server,
    client: ItickClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, other.url)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    client.fetch(token(server.url), asking())

    assert len(server.seen) == 1
    assert other.seen == []


def test_sends_no_cookie_back(server: Server, client: ItickClient) -> None:
    headers = {"Set-Cookie": "session=of-another-token; Path=/"}
    server.script = answer({"code": 0, "data": None}, headers=headers)

    for _ in range(2):
        client.fetch(token(server.url), asking())

    assert "cookie" not in server.seen[1].headers


def test_does_not_try_again_by_itself(server: Server, client: ItickClient) -> None:
    server.script = answer(b"", status=503, headers={"Retry-After": "0"})

    with pytest.raises(ProviderError):
        client.fetch(token(server.url), asking())

    assert len(server.seen) == 1


def test_sends_nothing_to_a_host_that_is_not_allowed(
    server: Server, client: ItickClient
) -> None:
    address = server.url.replace("127.0.0.1", "0.0.0.0")

    with pytest.raises(AddressRefused, match="has to begin with https"):
        client.fetch(token(address), asking())

    assert server.seen == []


@pytest.mark.parametrize("value", ["", "two words", "line\nbreak", "密钥", "tab\t"])
def test_sends_no_token_that_a_header_cannot_carry(
    server: Server, client: ItickClient, value: str
) -> None:
    with pytest.raises(TokenRejected) as caught:
        client.fetch(token(server.url, value=value), asking())

    assert not value or value not in str(caught.value)
    assert server.seen == []
