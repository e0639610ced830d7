"""Abort ends a call under way, wherever it is."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from urllib3.util.wait import wait_for_write

from sync.engine.errors import SyncError, Unreachable
from sync.providers import wire
from sync.providers.itick import ItickClient

from .server import Server, answer, asking, bar, halting, raw, running, token

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

HEAD = b"HTTP/1.1 200 OK\r\n"
ENDS_WITHIN = 1.0


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


def test_ends_a_call_that_is_connecting(
    client: ItickClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    connecting = threading.Event()

    def noting(sock: socket.socket, timeout: float | None = None) -> bool:
        connecting.set()
        return wait_for_write(sock, timeout)

    monkeypatch.setattr("sync.providers.wire.wait_for_write", noting)
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        # The backlog is full after these: a further connection waits.
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        call = Call(client, f"http://127.0.0.1:{listener.getsockname()[1]}")
        assert connecting.wait(5)

        client.abort()

        assert call.ended()
    assert str(call.error) == "aborted"


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
    tls_server: Server, client: ItickClient, certificate: Path
) -> None:
    client._channel._ca_certs = str(certificate)
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


def test_a_cut_wire_takes_no_further_socket() -> None:
    cut = wire.Wire(read_timeout=1.0, clock=lambda: 0.0)
    cut.sever()

    with socket.socket() as late, pytest.raises(OSError, match="aborted"):
        cut.watch(late)


def test_lets_go_of_the_socket_when_the_call_is_over(
    server: Server, client: ItickClient
) -> None:
    server.script = raw(HEAD + b'Connection: close\r\n\r\n{"code":0,"data":[]}')

    client.fetch(token(server.url), asking())

    assert client._channel._wire._handle is None
