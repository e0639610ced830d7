"""到服务商的 HTTP 通道:一次一个请求,先发出,后读回答。

The only place that meets exceptions of requests, urllib3 and the socket; what leaves
it is an `Answer` or a leaf of the error tree, never a foreign exception, not even as
a chained one: those hold the request and with it the token.

requests prepares what is sent and a connection of urllib3 carries it, for there asking
and answering are two steps: docs/decisions/asking-ahead.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from typing import TypeVar
from urllib.parse import urlencode

import certifi
import requests
import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError
from urllib3.util import Url, parse_url

from sync.engine.errors import (
    BadAnswer,
    ProviderError,
    SyncError,
    TimedOut,
    TokenRejected,
    Unreachable,
)
from sync.engine.ports import Secret

from .wire import Wire, connection_to

T = TypeVar("T")

CHUNK = 65_536
HEADERS = {
    "accept": "application/json",
    "accept-encoding": "gzip, deflate",
    "user-agent": "stocksync",
}

_FOREIGN = (requests.RequestException, HTTPError, HTTPException, OSError, UnicodeError)

# The first row that fits wins: what is special stands above what is general. The last
# row holds the roots of all of _FOREIGN, so that nothing goes without a leaf.
_LEAVES: tuple[tuple[tuple[type[Exception], ...], type[SyncError], str], ...] = (
    (
        (urllib3.exceptions.NewConnectionError,),
        Unreachable,
        "The connection to {host} failed",
    ),
    (
        (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError),
        TimedOut,
        "{host} did not answer in time",
    ),
    (
        (
            requests.exceptions.InvalidURL,
            requests.exceptions.MissingSchema,
            requests.exceptions.InvalidSchema,
            requests.exceptions.URLRequired,
            requests.exceptions.InvalidHeader,
            urllib3.exceptions.LocationValueError,
        ),
        TokenRejected,
        "No request to {host} can be made with this token and its base URL",
    ),
    (
        (
            requests.exceptions.ContentDecodingError,
            requests.exceptions.InvalidJSONError,
            urllib3.exceptions.DecodeError,
        ),
        ProviderError,
        "The answer of {host} cannot be unpacked",
    ),
    (
        (
            requests.exceptions.HTTPError,
            requests.exceptions.TooManyRedirects,
            requests.exceptions.RetryError,
            urllib3.exceptions.ResponseError,
        ),
        ProviderError,
        "{host} answered with an error",
    ),
    (
        (HTTPError, HTTPException, OSError, UnicodeError),
        Unreachable,
        "The connection to {host} failed",
    ),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """一个完整读完的回答。

    The names in `headers` are looked up without regard to case; `body` is unpacked.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def translate(error: Exception, *, host: str) -> SyncError:
    """把外来异常变成错误树的叶子。

    The text tells the host and the system's own word for the cause, nothing else of
    the foreign text: that may hold the address with its query or a header's value.
    """
    leaf, text = next(
        (leaf, text) for kinds, leaf, text in _LEAVES if isinstance(error, kinds)
    )
    cause = _cause(error) if leaf is Unreachable else ""
    return leaf(text.format(host=host) + (f": {cause}" if cause else ""))


class Exchange:
    """一次问答:请求已经发出,回答可以晚一点再读。

    Used by the channel's thread only.
    """

    def __init__(self, read: Callable[[], Answer | SyncError]) -> None:
        self._read = read
        self._outcome: Answer | SyncError | None = None

    @classmethod
    def failed(cls, fault: SyncError) -> Exchange:
        """没有发出去的。"""
        return cls(lambda: fault)

    def wait(self) -> None:
        """等到回答读完,或者失败;不抛异常。"""
        if self._outcome is None:
            self._outcome = self._read()

    def answer(self) -> Answer:
        """读完的回答,不论什么状态码;没有就抛出错误树的叶子。"""
        self.wait()
        assert self._outcome
        if isinstance(self._outcome, SyncError):
            raise self._outcome
        return self._outcome


@dataclass(frozen=True, slots=True)
class _Prepared:
    """每个地址和 Token 准备一次的:占一次请求一半的时间,不同的只有查询。"""

    connection: HTTPConnection
    path: str
    headers: Mapping[str, str] = field(repr=False)


class Channel:
    """一条通道,带总期限和大小上限。

    Used by one thread, but for `abort`. `deadline` bounds a whole call in seconds,
    `read_timeout` each wait for more bytes, `max_bytes` the unpacked body. Looking up
    a host's name is the one step that neither the deadline nor `abort` can end.
    """

    def __init__(
        self,
        *,
        connect_timeout: float,
        read_timeout: float,
        deadline: float,
        max_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wire = Wire(read_timeout=read_timeout, clock=clock)
        self._connect_timeout = connect_timeout
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._ca_certs = certifi.where()
        self._connections: dict[Url, HTTPConnection] = {}
        self._prepared: dict[tuple[str, Secret], _Prepared] = {}
        self._last = Exchange.failed(Unreachable("nothing was asked"))

    def send(
        self, url: str, *, host: str, params: Mapping[str, str | int], secret: Secret
    ) -> Exchange:
        """发一个 GET;不跟随重定向,不重试,不抛异常。

        One at a time: the answer before is read to its end first. What goes wrong is a
        leaf of `Transient`, or TokenRejected where no request can be made.
        """
        self._last.wait()
        sent = self._attempt(partial(self._ask, url, params, secret), host=host)
        read = partial(self._receive, sent, host=host)
        self._last = Exchange(read)
        return self._last

    def abort(self) -> None:
        """打断正在进行的请求;此后的请求立刻失败。

        Any thread may call it, any number of times.
        """
        self._wire.sever()

    def close(self) -> None:
        """关闭连接。"""
        self._wire.rest()
        for connection in self._connections.values():
            connection.close()

    def _attempt(self, step: Callable[[], T], *, host: str) -> T | SyncError:
        """做一步;失败了挂断,返回错误树的叶子。

        Returned, to be raised where no exception is being handled: even `from None`
        would keep the foreign one, with the request and its headers, as the context.
        """
        try:
            return step()
        except SyncError as error:
            fault = error
        except _FOREIGN as error:
            fault = self._leaf(error, host=host)
        self.close()
        return fault

    def _leaf(self, error: Exception, *, host: str) -> SyncError:
        return Unreachable("aborted") if self._wire.cut else translate(error, host=host)

    def _ask(
        self, url: str, params: Mapping[str, str | int], secret: Secret
    ) -> HTTPConnection:
        self._wire.begin(self._deadline)
        if (url, secret) not in self._prepared:
            self._prepared[url, secret] = self._prepare(url, secret)
        to = self._prepared[url, secret]
        if not to.connection.is_connected:
            to.connection.close()
            to.connection.connect()
        target = f"{to.path}?{urlencode(params)}"
        to.connection.request("GET", target, headers=to.headers, preload_content=False)
        return to.connection

    def _receive(
        self, sent: HTTPConnection | SyncError, *, host: str
    ) -> Answer | SyncError:
        if isinstance(sent, SyncError):
            return sent
        return self._attempt(partial(self._answer, sent), host=host)

    def _answer(self, connection: HTTPConnection) -> Answer:
        self._wire.resume()
        response = connection.getresponse()
        body = self._body(response)
        # A cut looks like the end of a body that has no length.
        self._wire.check()
        self._wire.rest()
        return Answer(response.status, response.headers, body)

    def _prepare(self, url: str, secret: Secret) -> _Prepared:
        headers = HEADERS | {"token": secret.reveal()}
        request = requests.Request("GET", url, headers=headers).prepare()
        return _Prepared(
            self._connection(url), str(request.path_url), dict(request.headers)
        )

    def _connection(self, url: str) -> HTTPConnection:
        origin = parse_url(url)._replace(path=None)
        if origin not in self._connections:
            self._connections[origin] = connection_to(
                origin,
                wire=self._wire,
                timeout=self._connect_timeout,
                ca_certs=self._ca_certs,
            )
        return self._connections[origin]

    def _body(self, raw: urllib3.HTTPResponse) -> bytes:
        chunks, size = [], 0
        # What is counted has been unpacked: 200 kB on the wire can become 200 MB.
        while chunk := raw.read(CHUNK, decode_content=True):
            chunks.append(chunk)
            size += len(chunk)
            if size > self._max_bytes:
                raise BadAnswer(f"The answer is larger than {self._max_bytes} bytes")
        return b"".join(chunks)


def _cause(error: BaseException | None) -> str:
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return str(error.strerror)
        error = error.__cause__ or error.__context__
    return ""
