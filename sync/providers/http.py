"""到外面的 HTTP:一次一个请求,有总期限和大小上限,别的线程可以打断。

A connection of urllib3 carries it, as requests would have it, without what requests
adds: redirects, cookies, proxies, .netrc and retries are what a token must not meet.

This is the only place that meets exceptions of urllib3 and the socket. What leaves it
is an `Answer` or a leaf of the error tree, never a foreign exception, not even as a
chained one: those hold the request and with it the token.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlencode, urlsplit

import certifi
import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, DecodeError, HTTPError

from sync.engine.errors import (
    BadAnswer,
    ProviderError,
    SyncError,
    TimedOut,
    Unreachable,
)
from sync.engine.ports import Secret

CHUNK = 65_536
LOOK = 0.25  # seconds between two looks at whether to stop waiting
HEADERS = {
    "accept": "application/json",
    "accept-encoding": "gzip, deflate",
    "user-agent": "stocksync",
}

T = TypeVar("T")
Params = Mapping[str, str | int]

_TIMEOUTS = (urllib3.exceptions.TimeoutError, TimeoutError)
_FOREIGN = (HTTPError, http.client.HTTPException, OSError, ValueError)
# The first row that fits wins: what is special stands above what is general.
_LEAVES: tuple[tuple[tuple[type[Exception], ...], type[SyncError], str], ...] = (
    (_TIMEOUTS, TimedOut, "{host} did not answer in time"),
    ((DecodeError,), ProviderError, "The answer of {host} cannot be unpacked"),
    (_FOREIGN, Unreachable, "The connection to {host} failed"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """一个完整读完的回答;`headers` 的名字不分大小写,`body` 已经解压。"""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """一个请求;地址里可能有秘密,所以从不写出来。"""

    method: str
    url: SplitResult = field(repr=False)
    secret: Secret | None = None
    body: bytes | None = field(default=None, repr=False)

    def headers(self) -> dict[str, str]:
        """返回头部;只在发的时候要,那里的局部变量不随异常出去。"""
        if self.secret is not None:
            return HEADERS | {"token": self.secret.reveal()}
        return HEADERS | {"content-type": "application/json; charset=utf-8"}


def translate(error: Exception, *, host: str) -> SyncError:
    """把外来异常翻译成错误树的叶子。

    The text tells the host and the system's own word for the cause, nothing else of
    the foreign text: that may hold the address with its query or a header's value.
    """
    leaf, text = next(
        (leaf, text) for kinds, leaf, text in _LEAVES if isinstance(error, kinds)
    )
    cause = _cause(error) if leaf is Unreachable else ""
    return leaf(text.format(host=host) + (f": {cause}" if cause else ""))


class Channel:
    """一条通道:对每台主机保持一个连接,一次问一个问题。

    Used by one thread, but for `abort`. `max_bytes` bounds the unpacked body.
    """

    def __init__(self, deadline: Deadline, *, max_bytes: int) -> None:
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._connections: dict[tuple[str, str], HTTPConnection] = {}

    def get(self, url: str, params: Params, *, secret: Secret) -> Answer:
        """发一个 GET,读完回答,不论什么状态码;不跟随重定向,不重试。

        What goes wrong is a leaf of `Transient`, or BadAnswer for too large a body.
        """
        asked = urlsplit(url)._replace(query=urlencode(params))
        return self._answer(Asked("GET", asked, secret=secret))

    def post(self, url: str, body: bytes) -> Answer:
        """发一个 JSON 的 POST,其余和 `get` 一样;地址本身可以是秘密。"""
        return self._answer(Asked("POST", urlsplit(url), body=body))

    def abort(self) -> None:
        """打断正在进行的请求,此后的请求立刻失败;任何线程都可以调用。"""
        self._deadline.aborted = True

    def close(self) -> None:
        """关闭全部连接。"""
        for connection in self._connections.values():
            connection.close()

    def _answer(self, asked: Asked) -> Answer:
        outcome = self._attempt(asked)
        if isinstance(outcome, SyncError):
            # Not where the foreign one is handled: even `from None` would keep it,
            # with the request and its headers, as the context.
            raise outcome
        return outcome

    def _attempt(self, asked: Asked) -> Answer | SyncError:
        try:
            return self._ask(asked)
        except SyncError as error:
            fault = error
        except _FOREIGN as error:
            aborted = Unreachable("aborted") if self._deadline.aborted else None
            fault = aborted or translate(error, host=str(asked.url.hostname))
        self.close()
        return fault

    def _ask(self, asked: Asked) -> Answer:
        self._deadline.begin()
        connection = self._connection(asked.url)
        if not connection.is_connected:
            # Never opened, or closed by the other end since the call before.
            connection.close()
            connection.connect()
        connection.request(
            asked.method,
            (asked.url.path or "/") + (asked.url.query and f"?{asked.url.query}"),
            body=asked.body,
            headers=asked.headers(),
            preload_content=False,
        )
        response = connection.getresponse()
        return Answer(response.status, response.headers, self._body(response))

    def _connection(self, url: SplitResult) -> HTTPConnection:
        origin = (url.scheme, url.netloc)
        if origin not in self._connections:
            kind = _Secure if url.scheme == "https" else _Connection
            self._connections[origin] = kind(url, self._deadline)
        return self._connections[origin]

    def _body(self, response: urllib3.HTTPResponse) -> bytes:
        chunks, size = [], 0
        # What is counted has been unpacked: 200 kB on the wire can become 200 MB.
        while chunk := response.read(CHUNK, decode_content=True):
            chunks.append(chunk)
            size += len(chunk)
            if size > self._max_bytes:
                raise BadAnswer(f"The answer is larger than {self._max_bytes} bytes")
        return b"".join(chunks)


@dataclass(slots=True)
class Deadline:
    """一次请求的时限:总共、接通一个地址、每次等数据各最多几秒。

    `aborted` may be set by any thread, for good; the rest is the caller's.
    """

    whole: float
    connect: float
    read: float
    clock: Callable[[], float] = time.monotonic
    aborted: bool = False
    _ends_at: float = 0.0

    def begin(self) -> None:
        """开始一次请求;已经打断了就抛出 OSError。"""
        self._check()
        self._ends_at = self.clock() + self.whole

    def wait(self, most: float, step: Callable[[float], T]) -> T:
        """做要等待的一步,总共不超过 `most` 秒。

        `step` gets a part of a second at a time and raises TimeoutError when that is
        over: so a wait ends soon after an abort, and nothing has to wake it.
        Raises OSError once the call was aborted, TimeoutError when its time is over.
        """
        until = min(self._ends_at, self.clock() + most)
        while True:
            self._check()
            left = until - self.clock()
            if left <= 0:
                raise TimeoutError("deadline")
            with suppress(TimeoutError):
                return step(min(left, LOOK))

    def _check(self) -> None:
        if self.aborted:
            raise OSError("aborted")


class _Socket(socket.socket):
    """读数据时守时限的套接字。"""

    deadline: Deadline

    def recv_into(self, *args: Any) -> int:
        deadline, step = self.deadline, self._receive
        return deadline.wait(deadline.read, lambda seconds: step(seconds, *args))

    def _receive(self, seconds: float, *args: Any) -> int:
        self.settimeout(seconds)
        return super().recv_into(*args)


class _TlsSocket(_Socket, ssl.SSLSocket):
    """读数据时守时限的 TLS 套接字。"""


class _Strict(http.client.HTTPConnection):
    """头部残缺就算出错的连接。

    It stands between http.client, which takes headers that were cut short for whole
    ones, and urllib3, which would write the rest, perhaps the token, to the log.
    """

    def getresponse(self) -> http.client.HTTPResponse:
        response = super().getresponse()
        if response.msg.defects:
            raise http.client.HTTPException("broken headers")
        return response


class _Connection(HTTPConnection, _Strict):  # type: ignore[misc]  # urllib3 does so too
    """接通和读数据都守时限的连接。"""

    def __init__(self, url: SplitResult, deadline: Deadline) -> None:
        # Without a port the last group of an IPv6 address would be taken for it.
        port = url.port or self.default_port
        super().__init__(str(url.hostname), port, timeout=deadline.read)
        self.deadline = deadline

    def connect(self) -> None:
        """让一个线程去接通,自己只等到时限。

        Nothing can end the look-up of a name, so neither the call nor the end of the
        process waits for that thread; what it still brings is closed.
        """
        opened: Future[_Socket] = Future()
        Thread(target=self._open_for, args=(opened,), daemon=True).start()
        try:
            self.sock = self.deadline.wait(self.deadline.whole, opened.result)
        except Exception:
            opened.add_done_callback(_close)
            raise

    def _open_for(self, opened: Future[_Socket]) -> None:
        try:
            sock = self.open()
        except TimeoutError:
            # Of another kind: the plain one would mean that `wait` may go on.
            opened.set_exception(ConnectTimeoutError("connecting took too long"))
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            opened.set_exception(error)
        else:
            sock.deadline = self.deadline
            opened.set_result(sock)

    def open(self) -> _Socket:
        """接通第一个接得通的地址。"""
        plain = socket.create_connection((self.host, self.port), self.deadline.connect)
        sock = _Socket(fileno=plain.detach())
        sock.settimeout(self.deadline.connect)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


class _Secure(_Connection):
    """再加上 TLS 的连接。"""

    default_port = 443  # type: ignore[misc]  # urllib3 does so too

    def open(self) -> _Socket:
        """接通,并核对证书是签发给这台主机的。"""
        context = ssl.create_default_context(cafile=certifi.where())
        context.sslsocket_class = _TlsSocket
        sock = context.wrap_socket(super().open(), server_hostname=self.host)
        assert isinstance(sock, _TlsSocket)
        return sock


def _close(opened: Future[_Socket]) -> None:
    if opened.exception() is None:
        opened.result().close()


def _cause(error: BaseException | None) -> str:
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return str(error.strerror)
        error = error.__cause__ or error.__context__
    return ""
