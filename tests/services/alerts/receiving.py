"""真的接收方:一台 SMTP 服务器,一台 HTTP 服务器,也可以什么都不回答。"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from aiosmtpd.controller import Controller


@dataclass
class Mailbox:
    """收下的邮件。"""

    port: int = 0
    mails: list[Message] = field(default_factory=list)

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any
    ) -> str:
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        return "250 taken"

    @property
    def texts(self) -> list[str]:
        """每封的标题和正文。"""
        return [f"{each['Subject']}\n{each.get_content()}" for each in self.mails]  # type: ignore[attr-defined]


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """一台收邮件的服务器。"""
    box = Mailbox(free_port())
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


@dataclass
class Hook:
    """收下的 JSON,和怎样回答:状态、正文;`hang` 时一直不回答。"""

    port: int = 0
    paths: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    status: int = 200
    answer: str = "ok"
    hang: bool = False
    asked: Event = field(default_factory=Event)
    done: Event = field(default_factory=Event)

    @property
    def url(self) -> str:
        return (
            f"http://127.0.0.1:{self.port}/hook/in-the-path?access_token=in-the-query"
        )


@contextmanager
def hook(**columns: Any) -> Iterator[Hook]:
    """一台收 JSON 的服务器。"""
    it = Hook(**columns)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            it.paths.append(self.path)
            it.bodies.append(json.loads(body))
            it.asked.set()
            if it.hang:
                it.done.wait(60)
                return
            self.send_response(it.status)
            self.send_header("content-length", str(len(it.answer)))
            self.end_headers()
            self.wfile.write(it.answer.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    it.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield it
    finally:
        it.done.set()
        server.shutdown()
        server.server_close()
        thread.join()


def free_port() -> int:
    """一个此刻没有人听的端口。"""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
