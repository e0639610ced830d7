"""What the network does to a request, and which leaf it becomes."""

from __future__ import annotations

import gzip
import logging
import socket
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from itertools import count

import pytest
import urllib3.exceptions

from sync.engine.errors import (
    BadAnswer,
    ProviderError,
    RateLimited,
    TimedOut,
    UnknownSymbol,
    Unreachable,
)
from sync.providers.itick import ItickClient

from .server import Server, answer, asking, bar, halting, raw, token

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

HEAD = b"HTTP/1.1 200 OK\r\n"
SOUND = b'{"code":0,"data":[]}'


@pytest.fixture
def hasty() -> Iterator[ItickClient]:
    """A client that does not wait long."""
    client = ItickClient(
        allowed_hosts=[], read_timeout=0.2, deadline=0.4, max_bytes=200_000
    )
    yield client
    client.close()


def test_reads_a_page(
    server: Server, client: ItickClient, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = answer({"code": 0, "msg": None, "data": [bar(1), bar(0)]})

    with caplog.at_level(logging.DEBUG, "sync"):
        page = client.fetch(token(server.url), asking())

    assert [kline.time.day for kline in page.klines] == [1, 2]
    (record,) = caplog.records
    assert record.levelname == "DEBUG"
    assert "stock=HK:700 period=day bars=2" in record.getMessage()


def test_warns_of_bars_that_were_left_out(
    server: Server, client: ItickClient, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = answer({"code": 0, "data": [bar(0), bar(1, l=0)]})

    page = client.fetch(token(server.url), asking())

    assert len(page.bad) == 1
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "stock=HK:700" in record.getMessage()
    assert "count=1 first=a price is not above" in record.getMessage()


def test_maps_what_the_provider_says(server: Server, client: ItickClient) -> None:
    server.script = answer({}, status=429, headers={"Retry-After": "9"})

    with pytest.raises(RateLimited) as caught:
        client.fetch(token(server.url), asking())

    assert caught.value.retry_after == 9.0


def test_goes_on_after_a_failure(server: Server, client: ItickClient) -> None:
    server.script = answer({"code": "E001", "msg": "not found this produce"})
    with pytest.raises(UnknownSymbol):
        client.fetch(token(server.url), asking())
    server.script = answer({"code": 0, "data": [bar()]})

    page = client.fetch(token(server.url), asking())

    assert len(page.klines) == 1


def test_reads_a_packed_answer(server: Server, client: ItickClient) -> None:
    body = gzip.compress(b'{"code":0,"data":[]}')
    server.script = answer(body, headers={"Content-Encoding": "gzip"})

    assert list(client.fetch(token(server.url), asking()).klines) == []


def test_reads_an_answer_in_chunks(server: Server, client: ItickClient) -> None:
    chunked = b"Transfer-Encoding: chunked\r\n\r\n"
    server.script = raw(HEAD + chunked + b"14\r\n" + SOUND + b"\r\n0\r\n\r\n")

    assert list(client.fetch(token(server.url), asking()).klines) == []


def test_reads_an_answer_that_ends_with_the_connection(
    server: Server, client: ItickClient
) -> None:
    server.script = raw(HEAD + b"Connection: close\r\n\r\n" + SOUND)

    for _ in range(2):
        assert list(client.fetch(token(server.url), asking()).klines) == []


CUT_SHORT = {
    "no answer at all": b"",
    "half a status line": b"HTTP/1.1 2",
    "half the headers": HEAD + b"Content-Le",
    "half the body": HEAD + b"Content-Length: 500\r\n\r\n" + SOUND,
    "half a chunk": HEAD + b'Transfer-Encoding: chunked\r\n\r\nff\r\n{"code":0',
    "no last chunk": HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n14\r\n"
    + SOUND
    + b"\r\n",
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a bad chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "endless headers": HEAD + b"a: b\r\n" * 200,
}


@pytest.mark.parametrize("name", CUT_SHORT)
def test_a_broken_answer_is_unreachable(
    server: Server, client: ItickClient, name: str
) -> None:
    server.script = raw(CUT_SHORT[name])

    with pytest.raises(Unreachable) as caught:
        client.fetch(token(server.url), asking())

    assert type(caught.value) is Unreachable
    assert "127.0.0.1" in str(caught.value)


def test_a_body_without_a_length_that_is_cut_has_not_arrived(
    server: Server, client: ItickClient
) -> None:
    server.script = raw(HEAD + b'Connection: close\r\n\r\n{"code":0,"data":[')

    with pytest.raises(ProviderError, match="cut short"):
        client.fetch(token(server.url), asking())


def test_a_reset_connection_is_unreachable(server: Server, client: ItickClient) -> None:
    def reset(handler: BaseHTTPRequestHandler) -> None:
        linger = b"\x01\0\0\0\0\0\0\0"
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        handler.close_connection = True

    server.script = reset

    with pytest.raises(Unreachable):
        client.fetch(token(server.url), asking())


def test_a_closed_port_is_unreachable(client: ItickClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(Unreachable) as caught:
        client.fetch(token(f"http://127.0.0.1:{port}"), asking())

    assert str(caught.value) == (
        "The connection to 127.0.0.1 failed: Connection refused"
    )


def test_what_cannot_be_unpacked_has_not_arrived(
    server: Server, client: ItickClient
) -> None:
    server.script = answer(b"not gzip", headers={"Content-Encoding": "gzip"})

    with pytest.raises(ProviderError):
        client.fetch(token(server.url), asking())


def test_an_answer_over_the_limit_is_a_bad_answer(
    server: Server, hasty: ItickClient
) -> None:
    server.script = answer(b" " * 200_001)

    with pytest.raises(BadAnswer, match="larger than 200000 bytes"):
        hasty.fetch(token(server.url), asking())


def test_a_bomb_is_given_up_before_it_is_unpacked(
    server: Server, hasty: ItickClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join(packer.compress(b" " * 1_000_000) for _ in range(50))
    server.script = answer(bomb + packer.flush(), headers={"Content-Encoding": "gzip"})
    sizes: list[int] = []
    read = urllib3.HTTPResponse.read

    def counting(*args: object, **kwargs: object) -> bytes:
        content = read(*args, **kwargs)  # type: ignore[arg-type]
        sizes.append(len(content))
        return content

    monkeypatch.setattr(urllib3.HTTPResponse, "read", counting)

    with pytest.raises(BadAnswer, match="larger"):
        hasty.fetch(token(server.url), asking())

    assert 200_000 < sum(sizes) < 400_000


def test_a_server_that_never_answers_times_out(
    server: Server, hasty: ItickClient
) -> None:
    server.script = halting()

    with pytest.raises(TimedOut, match=r"127\.0\.0\.1 did not answer in time"):
        hasty.fetch(token(server.url), asking())


def test_a_server_that_stops_in_the_middle_times_out(
    server: Server, hasty: ItickClient
) -> None:
    server.script = halting(HEAD + b"Content-Length: 500\r\n\r\n{")

    with pytest.raises(TimedOut):
        hasty.fetch(token(server.url), asking())


@pytest.mark.parametrize(
    "head",
    [
        b"",
        HEAD + b"x: ",
        HEAD + b"Content-Length: 100\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n64\r\n",
    ],
)
def test_the_deadline_ends_an_answer_that_drips(
    server: Server, hasty: ItickClient, head: bytes
) -> None:
    # Each byte comes well within the read timeout; the whole would take two seconds,
    # and hold a sound answer in two of the cases.
    rest = (b"HTTP/1.1 200 OK" if not head else SOUND).ljust(100)

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(head)
        for byte in rest:
            server.released.wait(0.02)
            handler.wfile.write(bytes([byte]))
        handler.wfile.write(b"\r\n0\r\n\r\n")
        handler.close_connection = True

    server.script = drip

    with pytest.raises(TimedOut):
        hasty.fetch(token(server.url), asking())


def test_the_deadline_is_measured_by_the_clock_given(server: Server) -> None:
    times = count(0.0, 20.0)
    client = ItickClient(allowed_hosts=[], clock=lambda: next(times))

    with pytest.raises(TimedOut):
        client.fetch(token(server.url), asking())

    client.close()
