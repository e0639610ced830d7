"""Every foreign exception leads to a leaf of the error tree."""

from __future__ import annotations

import http.client
import socket
import ssl

import pytest
import requests.exceptions
import urllib3.exceptions

from sync.engine.errors import (
    ProviderError,
    SyncError,
    TimedOut,
    TokenRejected,
    Unreachable,
)
from sync.providers.channel import translate

U, T, P, R = Unreachable, TimedOut, ProviderError, TokenRejected
REQUESTS = {
    "RequestException": U,
    "InvalidJSONError": P,
    "JSONDecodeError": P,
    "HTTPError": P,
    "ConnectionError": U,
    "ProxyError": U,
    "SSLError": U,
    "Timeout": T,
    "ConnectTimeout": T,
    "ReadTimeout": T,
    "URLRequired": R,
    "TooManyRedirects": P,
    "MissingSchema": R,
    "InvalidSchema": R,
    "InvalidURL": R,
    "InvalidHeader": R,
    "InvalidProxyURL": R,
    "ChunkedEncodingError": U,
    "ContentDecodingError": P,
    "StreamConsumedError": U,
    "RetryError": P,
    "UnrewindableBodyError": U,
}
URLLIB3 = {
    "HTTPError": U,
    "PoolError": U,
    "RequestError": U,
    "SSLError": U,
    "ProxyError": U,
    "DecodeError": P,
    "ProtocolError": U,
    "MaxRetryError": U,
    "HostChangedError": U,
    "TimeoutStateError": U,
    "TimeoutError": T,
    "ReadTimeoutError": T,
    "ConnectTimeoutError": T,
    "NewConnectionError": U,
    "NameResolutionError": U,
    "EmptyPoolError": U,
    "FullPoolError": U,
    "ClosedPoolError": U,
    "LocationValueError": R,
    "LocationParseError": R,
    "URLSchemeUnknown": R,
    "ResponseError": P,
    "ResponseNotChunked": U,
    "BodyNotHttplibCompatible": U,
    "IncompleteRead": U,
    "InvalidChunkLength": U,
    "InvalidHeader": U,
    "HeaderParsingError": U,
    "UnrewindableBodyError": U,
    "ProxySchemeUnknown": R,
}
# Raised for a proxy only, and no proxy is ever used.
NEVER = {"ProxySchemeUnsupported"}


def kinds(module: object) -> dict[str, type[Exception]]:
    return {
        kind.__name__: kind
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, Exception)
        and not issubclass(kind, Warning)
        and kind.__module__ == getattr(module, "__name__", "")
        and kind.__name__ not in NEVER
    }


@pytest.mark.parametrize(
    ("module", "leaves"),
    [(requests.exceptions, REQUESTS), (urllib3.exceptions, URLLIB3)],
    ids=["requests", "urllib3"],
)
def test_every_foreign_exception_has_its_leaf(
    module: object, leaves: dict[str, type[SyncError]]
) -> None:
    found = {
        name: type(translate(kind.__new__(kind), host="api.itick.org"))
        for name, kind in kinds(module).items()
    }

    assert found == leaves


@pytest.mark.parametrize(
    ("error", "leaf"),
    [
        (OSError("x"), U),
        (ConnectionResetError("x"), U),
        (TimeoutError("x"), T),
        (socket.gaierror("x"), U),
        (ssl.SSLError("x"), U),
        (http.client.IncompleteRead(b"x"), U),
        (http.client.LineTooLong("x"), U),
        (UnicodeError("x"), U),
    ],
)
def test_exceptions_of_the_standard_library_have_their_leaf(
    error: Exception, leaf: type[SyncError]
) -> None:
    assert type(translate(error, host="api.itick.org")) is leaf
