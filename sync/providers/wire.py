"""看管套接字:能从别的线程掐断,每次等待都不超过总期限。

urllib3 knows neither: its timeouts bound one read, not the call, and nothing ends a
call from outside. So the connections tell a `Wire` of their socket, dial in a way that
can be cut, and read through `_Paced`.
"""

from __future__ import annotations

import io
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection, port_by_scheme
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util import Url
from urllib3.util.wait import wait_for_write

BUFFER = 65_536
# Seconds for reading what has come, though the deadline passed before anybody did.
GRACE = 1.0


class Wire:
    """正在用的那个套接字。

    `sever` may come from any thread at any moment, the rest belongs to the one that
    makes the call.
    """

    def __init__(self, *, read_timeout: float, clock: Callable[[], float]) -> None:
        self.read_timeout = read_timeout
        self.cut = False
        self._clock = clock
        self._ends_at = self._grace = 0.0
        self._lock = threading.Lock()
        self._handle: socket.socket | None = None

    def begin(self, deadline: float) -> None:
        """一次请求开始;`deadline` 是它最多用的秒数。

        Raises OSError once the wire has been cut.
        """
        self._ends_at = self._clock() + deadline
        self._grace = min(GRACE, deadline)
        self.check()

    def resume(self) -> None:
        """开始读回答;它等我们等得太久也不算晚。"""
        self._ends_at = max(self._ends_at, self._clock() + self._grace)

    def check(self) -> None:
        """已经掐断则抛出 OSError。"""
        if self.cut:
            raise OSError("aborted")

    def watch(self, sock: socket.socket) -> None:
        """看管这个套接字,直到 `rest`。

        A duplicate is kept: it stays valid while TLS takes the original over and after
        http.client has closed it, and no other thread can have its number reused.
        Raises OSError once the wire has been cut.
        """
        with self._lock:
            self._drop()
            self.check()
            self._handle = socket.fromfd(sock.fileno(), sock.family, sock.type)

    def patience(self, most: float) -> float:
        """还可以等几秒,最多 `most`;总期限已过则抛出 TimeoutError。"""
        left = self._ends_at - self._clock()
        if left <= 0:
            raise TimeoutError("deadline")
        return min(most, left)

    def rest(self) -> None:
        """请求结束,不再看管。"""
        with self._lock:
            self._drop()

    def sever(self) -> None:
        """掐断,永久有效。"""
        with self._lock:
            self.cut = True
            if self._handle is not None:
                _shut(self._handle)

    def _drop(self) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None


class _Paced(io.RawIOBase):
    """套接字的读端;每次等待都向 `Wire` 问时间。

    http.client takes it for a socket: it only ever asks for `makefile`.
    """

    def __init__(self, sock: socket.socket, wire: Wire) -> None:
        super().__init__()
        self._sock = sock
        self._wire = wire
        self._raw = sock.makefile("rb", buffering=0)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self, BUFFER)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._wire.patience(self._wire.read_timeout))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Strict(HTTPResponse):
    """头部残缺就算出错的回答。

    http.client takes headers that were cut short for complete ones, and urllib3 writes
    what it could not read of them to the log.
    """

    def begin(self) -> None:
        super().begin()
        if self.msg.defects:
            raise HTTPException("broken headers")


class _Watched(HTTPConnection):
    """由 `Wire` 看管的连接。"""

    def __init__(self, *args: Any, wire: Wire, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wire = wire
        # http.client calls it, no more; the stubs want a class.
        self.response_class = self._response  # type: ignore[assignment]

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            self._wire.watch(self.sock)
        super().request(*args, **kwargs)

    def _response(self, sock: socket.socket, *args: Any, **kwargs: Any) -> HTTPResponse:
        return _Strict(_Paced(sock, self._wire), *args, **kwargs)  # type: ignore[arg-type]

    def _new_conn(self) -> socket.socket:
        # Wrapped as urllib3 does it: it takes a bare ConnectionResetError here for a
        # server that has answered early, and goes on to read from no socket.
        try:
            return self._dial()
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "connecting took too long") from error
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, "no connection") from error

    def _dial(self) -> socket.socket:
        failure = OSError("the host has no address")
        for family, kind, number, _, address in socket.getaddrinfo(
            self.host, self.port, type=socket.SOCK_STREAM
        ):
            sock = socket.socket(family, kind, number)
            try:
                self._connect(sock, address)
            except OSError as error:
                sock.close()
                failure = error
            else:
                return sock
        raise failure

    def _connect(self, sock: socket.socket, address: Any) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(0)
        with suppress(BlockingIOError):
            sock.connect(address)
        # Not before: a socket that has not begun to connect cannot be shut down, and a
        # cut that came too early would be lost.
        self._wire.watch(sock)
        most = self._wire.patience(float(self.timeout or self._wire.read_timeout))
        if not wait_for_write(sock, timeout=most):
            raise TimeoutError
        if number := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(number, os.strerror(number))
        sock.settimeout(most)


class _WatchedTls(_Watched, HTTPSConnection):
    """同上,加 TLS。"""


def connection_to(
    origin: Url, *, wire: Wire, timeout: float, ca_certs: str
) -> HTTPConnection:
    """到一台主机的连接,还没有接通;`timeout` 是接通和发出各等几秒。

    TLS is verified against the certificates of `ca_certs`, a file.
    """
    host = (origin.host or "").strip("[]")
    # Without one the last group of an IPv6 address would be taken for it.
    port = origin.port or port_by_scheme[str(origin.scheme)]
    if origin.scheme == "https":
        return _WatchedTls(host, port, wire=wire, timeout=timeout, ca_certs=ca_certs)
    return _Watched(host, port, wire=wire, timeout=timeout)


def _shut(handle: socket.socket) -> None:
    # Refused where the other end was faster: whoever waits is awake already.
    with suppress(OSError):
        handle.shutdown(socket.SHUT_RDWR)
