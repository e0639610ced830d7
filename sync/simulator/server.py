"""模拟器的 HTTP 一面。"""

from __future__ import annotations

import logging
import os
import socket
import struct
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Condition
from typing import TYPE_CHECKING, Any

from .answers import Answer, json_answer
from .control import control

if TYPE_CHECKING:
    from .simulator import Simulator

logger = logging.getLogger(__name__)

CONTROL = "/_sim/"
_RESET = struct.pack("ii", 1, 0)
_GREATEST_BODY = 65_536
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Server(ThreadingHTTPServer):
    """线程化的服务;记得自己的每一条连接,所以能干脆地关掉。"""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, *, simulator: Simulator) -> None:
        self.simulator = simulator
        self._open: set[socket.socket] = set()
        self._changed = Condition()
        super().__init__(("127.0.0.1", port), Handler)

    def server_bind(self) -> None:
        """绑定端口;不像父类那样去查主机名。"""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", int(self.server_address[1])

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """在自己的线程里处理一条连接。"""
        with self._changed:
            self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._changed:
                self._open.discard(request)
                self._changed.notify_all()

    def hang_up(self) -> None:
        """挂断所有连接,等它们的线程结束,最多两秒。"""
        with self._changed:
            for connection in self._open:
                _shut(connection)
            self._changed.wait_for(lambda: not self._open, timeout=2)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """把我们自己的错误写进日志。"""
        logger.error("A request failed.", exc_info=True)  # noqa: LOG014 - it is one


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        logger.debug("A connection was closed already.")


class Handler(BaseHTTPRequestHandler):
    """一条连接上的请求。"""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self) -> None:
        """处理到对方离开为止。"""
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def do_GET(self) -> None:
        """答复 GET。"""
        path, _, query = self.path.partition("?")
        if path.startswith(CONTROL):
            self._control(path, query=query)
            return
        simulator = self.server.simulator
        stopped = simulator.outages.stop()
        if stopped is not None:
            self._deliver(stopped)
        elif not simulator.api.knows(path):
            self._deliver(json_answer({"message": "no such path"}, status=404))
        else:
            self._deliver(simulator.answer(path, query, key=self.headers.get("token")))

    def do_POST(self) -> None:
        """只有控制台接受 POST。"""
        path, _, query = self.path.partition("?")
        if path.startswith(CONTROL):
            self._control(path, query=query)
        else:
            self._refuse_method()

    def _control(self, path: str, *, query: str) -> None:
        length = min(int(self.headers.get("Content-Length") or 0), _GREATEST_BODY)
        answer = control(
            self.server.simulator,
            f"{self.command} {path.removeprefix(CONTROL)}",
            query=query,
            body=self.rfile.read(length),
        )
        self._deliver(answer)

    def _refuse_method(self) -> None:
        # The body that may follow is not read, so the connection is of no more use.
        self.close_connection = True
        answer = json_answer({"message": "method not allowed"}, status=405)
        head_only = Answer(b"", status=405)
        self._deliver(head_only if self.command == "HEAD" else answer)

    do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _refuse_method  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """不写访问日志:流水都记着。"""

    def _deliver(self, answer: Answer) -> None:
        ways: dict[str, Callable[[bytes, bytes], None]] = {
            "whole": self._send_whole,
            "reset": self._reset,
            "hang": self._hang,
            "truncated": self._send_half,
            "drip": self._drip,
        }
        ways[answer.delivery](_head(answer), answer.body)

    def _send_whole(self, head: bytes, body: bytes) -> None:
        self.wfile.write(head + body)

    def _send_half(self, head: bytes, body: bytes) -> None:
        self.close_connection = True
        self.wfile.write(head + body[: len(body) // 2])

    def _hang(self, _head: bytes, _body: bytes) -> None:
        self.close_connection = True
        self.server.simulator.pause(self.server.simulator.faults.timeout_seconds)

    def _drip(self, head: bytes, body: bytes) -> None:
        self.close_connection = True
        simulator = self.server.simulator
        self.wfile.write(head)
        for place in range(len(body)):
            if simulator.pause(simulator.faults.drip_seconds):
                return
            self.wfile.write(body[place : place + 1])

    def _reset(self, _head: bytes, _body: bytes) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        # The socket's own close waits for the reader's file; this one does not.
        os.close(self.connection.detach())


def _head(answer: Answer) -> bytes:
    lines = [
        f"HTTP/1.1 {answer.status} {_PHRASES[answer.status]}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(answer.body)}",
        *(f"{name}: {value}" for name, value in answer.headers),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
