"""网站进程:`python -m stocksync_site.server --port 8000`,只监听本机。

One thread reads and writes for all connections, and a request goes to one of the
working threads when it is there as a whole: who sends half a header, or takes nothing,
holds a connection and no thread.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

from waitress.server import create_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

THREADS = 8
CONNECTIONS = 1000
FILES = 4 * CONNECTIONS
# A body is kept in memory, never on the disk: Django takes 2.5 MB of fields at most.
LARGEST_BODY = 2_700_000
LARGEST_HEADERS = 64 * 1024
# Only a stream that is so far ahead of its reader waits, and keeps its thread; what is
# not yet taken of the others lies in a temporary file from 1 MB on.
AHEAD = 16_000_000
SILENT = 30  # seconds a connection may be open and do nothing
PATIENCE = 60  # seconds until who takes nothing of an answer is cut
# `os.umask`: what the process makes is for its own user.
PRIVATE = 0o077


def main(arguments: Sequence[str] | None = None) -> None:
    """监听,直到收到信号;做到一半的请求有几秒钟做完。"""
    parser = argparse.ArgumentParser(prog="python -m stocksync_site.server")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args(arguments)
    os.umask(PRIVATE)
    _allow_files()
    # Settings are read here, so that --help needs none.
    from django.conf import settings  # noqa: PLC0415

    from .wsgi import application  # noqa: PLC0415

    listener = listening(options.host, options.port)
    proxy = trusting(settings.TRUSTED_PROXY)
    answering = heads(application)
    server = create_server(answering, sockets=[listener], **proxy, **LIMITS)
    signal.signal(signal.SIGTERM, _leave)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()


LIMITS: dict[str, Any] = {
    "threads": THREADS,
    "connection_limit": CONNECTIONS,
    "asyncore_use_poll": True,  # select() ends at 1024 files
    "channel_timeout": SILENT,
    "cleanup_interval": 5,
    "max_request_header_size": LARGEST_HEADERS,
    "max_request_body_size": LARGEST_BODY,
    "inbuf_overflow": LARGEST_BODY + 1,
    "outbuf_high_watermark": AHEAD,
    "ident": "",
    "log_socket_errors": False,  # who goes away is no error of ours
}


def heads(application: WSGIApplication) -> WSGIApplication:
    """回答 HEAD 时只有头部。

    waitress sends whatever the application gives, and what follows the headers would be
    taken for the beginning of the connection's next answer.
    """

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        body = application(environ, start)
        if environ["REQUEST_METHOD"] != "HEAD":
            return body
        if close := getattr(body, "close", None):
            close()
        return ()

    return answer


def listening(host: str, port: int) -> socket.socket:
    """一个监听着的套接字;接进来的连接继承它的期限。"""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        milliseconds = PATIENCE * 1000
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or "there is no such port"
        sys.exit(f"{host} port {port} cannot be listened on: {why}.")
    return listener


def trusting(proxy: str) -> dict[str, Any]:
    """相信哪个地址说的「真正的客户是谁、用的是不是 https」。"""
    if not proxy:
        return {}
    return {
        "trusted_proxy": proxy,
        "trusted_proxy_count": 1,
        "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto"},
    }


def _allow_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit


if __name__ == "__main__":
    main()
