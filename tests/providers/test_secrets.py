"""The token's value shows up nowhere but in its header."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator

import pytest

from sync.engine.errors import SyncError
from sync.providers.itick import ItickClient

from .server import CANARY, Script, Server, answer, asking, halting, raw, token

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

ECHO = {"code": 5, "msg": f"no luck with {CANARY}", "data": None}
SCRIPTS: dict[str, Script] = {
    "rejected": answer({"message": f"Invalid key {CANARY}"}, status=401),
    "rate limited": answer(ECHO | {"msg": f"too much from {CANARY}"}),
    "plan": answer(ECHO | {"msg": f"{CANARY} only supports subscribing US"}),
    "unknown": answer(ECHO | {"code": "E001"}),
    "other code": answer(ECHO),
    "echoed as code": answer(ECHO | {"code": CANARY}),
    "plain text": answer(f"denied: {CANARY}".encode(), status=400),
    "server error": answer(ECHO, status=500),
    "redirect": answer(b"", status=302, headers={"Location": f"http://x/{CANARY}"}),
    "not JSON": answer(CANARY.encode()),
    "wrong shape": answer({"code": 0, "msg": CANARY, "data": {"9988": []}}),
    "bad bars": answer({"code": 0, "msg": CANARY, "data": [{"t": 0}]}),
    "reset": raw(b""),
    "cut short": raw(
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + CANARY.encode()
    ),
    "not HTTP": raw(CANARY.encode() + b"\r\n\r\n"),
    "broken headers": raw(b"HTTP/1.1 200 OK\r\n" + CANARY.encode() + b"\r\n\r\n"),
    "bad chunk": raw(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + CANARY.encode()
        + b"\r\n"
    ),
    "timeout": halting(),
}


@pytest.fixture
def hasty() -> Iterator[ItickClient]:
    client = ItickClient(allowed_hosts=[], read_timeout=0.2)
    yield client
    client.close()


def told(error: BaseException) -> str:
    """All that a log or an error page could show of an exception.

    Local variables belong to it, but those of the test itself do not.
    """
    assert error.__traceback__ is not None
    full = traceback.TracebackException(
        type(error),
        error,
        error.__traceback__.tb_next,
        capture_locals=True,
    )
    return "\n".join([str(error), repr(error), repr(vars(error)), *full.format()])


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_failure_shows_the_token(
    server: Server,
    hasty: ItickClient,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    server.script = SCRIPTS[name]

    with caplog.at_level(logging.DEBUG), pytest.raises(SyncError) as caught:
        hasty.fetch(token(server.url), asking())

    assert server.seen[0].headers["token"] == CANARY
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    assert CANARY not in told(caught.value)
    assert CANARY not in caplog.text


@pytest.mark.parametrize("tail", ["\nx", " x", "密"])
def test_a_token_that_cannot_be_sent_is_not_shown(
    hasty: ItickClient, tail: str
) -> None:
    with pytest.raises(SyncError) as caught:
        hasty.fetch(token("http://127.0.0.1:9", value=CANARY + tail), asking())

    assert CANARY not in told(caught.value)


def test_no_repr_shows_the_token(client: ItickClient) -> None:
    shown = repr(token("http://127.0.0.1:9")) + repr(client)

    assert CANARY not in shown


def test_a_token_in_escaped_words_is_masked(server: Server, hasty: ItickClient) -> None:
    server.script = answer({"error_msg": json.dumps({"key": CANARY})})

    with pytest.raises(SyncError) as caught:
        hasty.fetch(token(server.url), asking())

    assert "****" in str(caught.value)
    assert CANARY not in str(caught.value)
