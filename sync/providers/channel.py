"""到服务商的 HTTP 通道:一个会话,一次一个请求。

The only place that meets exceptions of requests, urllib3 and the socket; what leaves
it is an `Answer` or a leaf of the error tree, never a foreign exception, not even as
a chained one: those hold the request and with it the token.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlencode

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from sync.engine.errors import (
    BadAnswer,
    ProviderError,
    SyncError,
    TimedOut,
    TokenRejected,
    Unreachable,
)
from sync.engine.ports import Secret

from .wire import HttpPool, HttpsPool, Wire

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
        BadAnswer,
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
        self._timeouts = (connect_timeout, read_timeout)
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._session = _session(self._wire)
        self._prepared: dict[tuple[str, Secret], requests.PreparedRequest] = {}

    def get(
        self, url: str, *, host: str, params: Mapping[str, str | int], secret: Secret
    ) -> Answer:
        """发一个 GET,读完回答;不跟随重定向,不重试。

        Whatever its status an answer is returned. Raises a leaf of `Transient`, or
        TokenRejected where no request can be made.
        """
        try:
            self._wire.begin(self._deadline)
            return self._exchange(url, params=params, secret=secret)
        except _FOREIGN as error:
            fault = self._leaf(error, host=host)
        finally:
            self._wire.rest()
        # Raised out here, where no exception is being handled: even `from None` would
        # keep the foreign one, with the request and its headers, as the context.
        raise fault

    def abort(self) -> None:
        """打断正在进行的请求;此后的请求立刻失败。

        Any thread may call it, any number of times.
        """
        self._wire.sever()

    def close(self) -> None:
        """关闭连接。"""
        self._session.close()

    def _leaf(self, error: Exception, *, host: str) -> SyncError:
        return Unreachable("aborted") if self._wire.cut else translate(error, host=host)

    def _exchange(
        self, url: str, *, params: Mapping[str, str | int], secret: Secret
    ) -> Answer:
        with self._session.send(
            self._request(url, params=params, secret=secret),
            timeout=self._timeouts,
            proxies={},
            allow_redirects=False,
            stream=True,
        ) as response:
            body = self._body(response.raw)
            # A cut looks like the end of a body that has no length.
            self._wire.check()
            return Answer(response.status_code, response.headers, body)

    def _request(
        self, url: str, *, params: Mapping[str, str | int], secret: Secret
    ) -> requests.PreparedRequest:
        # Prepared once for each address and token: that takes as long as all the rest
        # of a call, and only the query differs.
        request = self._prepared.get((url, secret))
        if request is None:
            headers = {"token": secret.reveal()}
            request = self._session.prepare_request(
                requests.Request("GET", url, headers=headers)
            )
            self._prepared[url, secret] = request
        address = str(request.url).partition("?")[0]
        request.url = f"{address}?{urlencode(params)}"
        return request

    def _body(self, raw: urllib3.HTTPResponse) -> bytes:
        chunks, size = [], 0
        # What is counted has been unpacked: 200 kB on the wire can become 200 MB.
        while chunk := raw.read(CHUNK, decode_content=True):
            chunks.append(chunk)
            size += len(chunk)
            if size > self._max_bytes:
                raise BadAnswer(f"The answer is larger than {self._max_bytes} bytes")
        return b"".join(chunks)


class _Adapter(HTTPAdapter):
    """一个连接、不重试的适配器,套接字交给 `Wire` 看管。"""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        super().__init__(pool_connections=4, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(HttpPool, wire=self._wire),
            "https": partial(HttpsPool, wire=self._wire),
        }


def _session(wire: Wire) -> requests.Session:
    session = requests.Session()
    # No proxy and no .netrc from the environment: the token goes to its host only.
    session.trust_env = False
    session.headers.clear()
    session.headers.update(HEADERS)
    # A lane uses several tokens; a cookie given to one must not follow another.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(wire))
    return session


def _cause(error: BaseException | None) -> str:
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return str(error.strerror)
        error = error.__cause__ or error.__context__
    return ""
