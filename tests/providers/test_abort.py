"""Abort ends a call under way, wherever it is."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sync.engine.errors import SyncError, TimedOut, Unreachable
from sync.providers.itick import ItickClient

from .server import Server, answer, asking, bar, halting, running, token

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

HEAD = b"HTTP/1.1 200 OK\r\n"
ENDS_WITHIN = 1.0
LOOKS_UP = """
import socket, time
from sync.engine.errors import TimedOut
from sync.engine.ports import PageRequest, Secret, Token
from sync.providers.itick import ItickClient

socket.getaddrinfo = lambda *_args, **_options: time.sleep(60)
token = Token(1, "main", Secret("key"), "http://localhost:9", 0)
client = ItickClient(allowed_hosts=[], deadline=0.2)
try:
    client.fetch(token, PageRequest("HK", "700", "day", 0, 1))
except TimedOut as error:
    print(str(error).removeprefix("localhost "), end="")
"""


class Call:
    """A fetch in a thread of its own."""

    def __init__(self, client: ItickClient, url: str) -> None:
        self.error: SyncError | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(client, url))
        self._thread.start()

    def _run(self, client: ItickClient, url: str) -> None:
        try:
            client.fetch(token(url), asking())
        except SyncError as error:
            self.error = error
        finally:
            self._ended.set()

    def ended(self) -> bool:
        return self._ended.wait(ENDS_WITHIN)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        HEAD,
        HEAD + b'Content-Length: 500\r\n\r\n{"code"',
        HEAD + b'Transfer-Encoding: chunked\r\n\r\nff\r\n{"code"',
        HEAD + b'Connection: close\r\nContent-Length: 500\r\n\r\n{"code"',
        HEAD + b'Connection: close\r\n\r\n{"code":0,"data":[]}',
    ],
    ids=[
        "waiting",
        "in headers",
        "in body",
        "in a chunk",
        "in a closing body",
        "in a body without length",
    ],
)
def test_ends_a_call_that_waits_for_the_answer(
    server: Server, client: ItickClient, sent: bytes
) -> None:
    server.script = halting(sent)
    call = Call(client, server.url)
    assert server.asked.wait(5)

    client.abort()

    assert call.ended()
    assert isinstance(call.error, Unreachable)
    assert str(call.error) == "aborted"


def test_ends_a_call_on_a_connection_used_before(
    server: Server, client: ItickClient
) -> None:
    client.fetch(token(server.url), asking())
    server.script = halting()
    server.asked.clear()
    call = Call(client, server.url)
    assert server.asked.wait(5)

    client.abort()

    assert call.ended()
    assert str(call.error) == "aborted"
    assert len({seen.peer for seen in server.seen}) == 1


@pytest.fixture
def unfinished() -> Iterator[str]:
    """An address that neither takes a connection nor refuses it."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        # The backlog is full after these: a further connection waits.
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_ends_a_call_that_is_connecting(
    unfinished: str, client: ItickClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    connecting = threading.Event()
    connect = socket.create_connection

    def noting(*args: Any, **kwargs: Any) -> socket.socket:
        connecting.set()
        return connect(*args, **kwargs)

    monkeypatch.setattr(socket, "create_connection", noting)
    call = Call(client, unfinished)
    assert connecting.wait(5)

    client.abort()

    assert call.ended()
    assert str(call.error) == "aborted"


def test_the_connect_timeout_ends_a_call_that_is_connecting(unfinished: str) -> None:
    client = ItickClient(allowed_hosts=[], connect_timeout=0.2)

    with pytest.raises(TimedOut):
        client.fetch(token(unfinished), asking())


@pytest.fixture
def dead_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A name server that does not answer; the event tells that it was asked."""
    asked, over = threading.Event(), threading.Event()

    def look_up(*_args: object, **_options: object) -> list[Any]:
        asked.set()
        over.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield asked
    over.set()


def test_ends_a_call_that_looks_up_a_name(
    client: ItickClient, dead_resolver: threading.Event
) -> None:
    call = Call(client, "http://localhost:9")
    assert dead_resolver.wait(5)

    client.abort()

    assert call.ended()
    assert str(call.error) == "aborted"


@pytest.mark.usefixtures("dead_resolver")
def test_the_deadline_ends_a_call_that_looks_up_a_name() -> None:
    client = ItickClient(allowed_hosts=[], deadline=0.2)

    with pytest.raises(TimedOut):
        client.fetch(token("http://localhost:9"), asking())


def test_a_process_ends_though_a_name_is_looked_up() -> None:
    """An exit that waited for the look-up would take a minute."""
    ended = subprocess.run(
        [sys.executable, "-c", LOOKS_UP], timeout=20, check=False, capture_output=True
    )

    assert ended.stdout == b"did not answer in time"


def test_what_is_connected_after_the_call_was_given_up_is_closed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up, closed = threading.Event(), threading.Event()
    connect = socket.create_connection

    def late(*args: Any, **kwargs: Any) -> socket.socket:
        assert given_up.wait(5)
        return connect(*args, **kwargs)

    monkeypatch.setattr(socket, "create_connection", late)
    finish = server.shutdown_request

    def finished(request: Any) -> None:
        finish(request)
        closed.set()

    monkeypatch.setattr(server, "shutdown_request", finished)
    client = ItickClient(allowed_hosts=[], deadline=0.2)
    with pytest.raises(TimedOut):
        client.fetch(token(server.url), asking())

    given_up.set()

    assert closed.wait(5)
    assert server.seen == []


def test_ends_a_call_in_the_tls_handshake(client: ItickClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        call = Call(client, f"https://127.0.0.1:{listener.getsockname()[1]}")
        peer, _ = listener.accept()
        with peer:
            assert peer.recv(1)

            client.abort()

            assert call.ended()
    assert str(call.error) == "aborted"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 with its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    own = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    kind = serialization.PrivateFormat.PKCS8
    path = tmp_path / "server.pem"
    path.write_bytes(
        own.public_bytes(pem)
        + key.private_bytes(pem, kind, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = Server()
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with running(server):
        yield server


def test_ends_a_call_that_reads_over_tls(
    tls_server: Server,
    client: ItickClient,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(certifi, "where", lambda: str(certificate))
    url = tls_server.url.replace("http:", "https:")
    client.fetch(token(url), asking())
    tls_server.script = halting(HEAD + b"Content-Length: 500\r\n\r\n{")
    tls_server.asked.clear()
    call = Call(client, url)
    assert tls_server.asked.wait(5)

    client.abort()

    assert call.ended()
    assert str(call.error) == "aborted"


def test_an_unknown_certificate_is_unreachable(
    tls_server: Server, client: ItickClient
) -> None:
    with pytest.raises(Unreachable, match="certificate verify failed"):
        client.fetch(token(tls_server.url.replace("http:", "https:")), asking())

    assert tls_server.seen == []


def test_no_call_starts_after_an_abort(server: Server, client: ItickClient) -> None:
    client.abort()
    client.abort()

    with pytest.raises(Unreachable, match=r"^aborted$"):
        client.fetch(token(server.url), asking())

    assert server.seen == []


def test_an_abort_between_two_calls_ends_the_next(
    server: Server, client: ItickClient
) -> None:
    server.script = answer({"code": 0, "data": [bar()]})
    client.fetch(token(server.url), asking())
    client.abort()

    with pytest.raises(Unreachable, match=r"^aborted$"):
        client.fetch(token(server.url), asking())

    assert len(server.seen) == 1
