"""A real HTTP server on loopback that does what a test tells it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sync.engine.ports import PageRequest, Secret, Token

CANARY = "sk-canary-0123456789abcdef"
DAY = 86_400_000
START = 1_704_067_200_000  # 2024-01-01 00:00 UTC

Script = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the server was asked."""

    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    peer: tuple[str, int]


class Server(ThreadingHTTPServer):
    """Answers every GET by `script` and remembers what it was asked."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[Seen] = []
        self.asked = threading.Event()
        self.released = threading.Event()
        self.script: Script = answer({"code": 0, "data": None})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the test."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        peer = (str(self.client_address[0]), int(self.client_address[1]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append(Seen(parts.path, query, headers, peer))
        self.server.asked.set()
        self.server.script(self)

    def log_message(self, *_args: Any) -> None:
        pass


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Serve in a thread until the end of the block."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join(5)
        server.server_close()


def answer(
    body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Script:
    """A whole answer; what is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def script(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return script


def raw(content: bytes) -> Script:
    """Exactly these bytes, then the connection is closed."""

    def script(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(content)
        handler.close_connection = True

    return script


def halting(content: bytes = b"") -> Script:
    """These bytes, then nothing until the test is over."""

    def script(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(content)
        handler.wfile.flush()
        server = handler.server
        assert isinstance(server, Server)
        server.released.wait(20)
        handler.close_connection = True

    return script


def token(base_url: str, *, value: str = CANARY) -> Token:
    """A token for this address."""
    return Token(1, "main (…cdef)", Secret(value), base_url, 0)


def asking(
    *, market: str = "HK", code: str = "700", period: str = "day", limit: int = 1000
) -> PageRequest:
    """A request for a page."""
    return PageRequest(market, code, period, START + 400 * DAY, limit)


def bar(day: int = 0, **changes: Any) -> dict[str, Any]:
    """A sound bar, `day` days after 2024-01-01; `None` removes a field."""
    sound = {"t": START + day * DAY, "o": 10, "h": 12, "l": 9, "c": 11}
    bar = sound | {"v": 500, "tu": 5400} | changes
    return {name: value for name, value in bar.items() if value is not None}
