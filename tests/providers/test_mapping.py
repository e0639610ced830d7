"""Every foreign exception leads to a leaf of the error tree."""

from __future__ import annotations

import http.client
import socket
import ssl

import pytest
import urllib3.exceptions

from sync.engine.errors import (
    ProviderError,
    SyncError,
    TimedOut,
    Unreachable,
)
from sync.providers.http import translate

U, T, P = Unreachable, TimedOut, ProviderError
# Some of them cannot come, for the connections are made and the URLs read without it.
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
    "NewConnectionError": T,
    "NameResolutionError": T,
    "EmptyPoolError": U,
    "FullPoolError": U,
    "ClosedPoolError": U,
    "LocationValueError": U,
    "LocationParseError": U,
    "URLSchemeUnknown": U,
    "ResponseError": U,
    "ResponseNotChunked": U,
    "BodyNotHttplibCompatible": U,
    "IncompleteRead": U,
    "InvalidChunkLength": U,
    "InvalidHeader": U,
    "HeaderParsingError": U,
    "UnrewindableBodyError": U,
    "ProxySchemeUnknown": U,
    "ProxySchemeUnsupported": U,
}


def kinds(module: object) -> dict[str, type[Exception]]:
    return {
        kind.__name__: kind
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, Exception)
        and not issubclass(kind, Warning)
        and kind.__module__ == getattr(module, "__name__", "")
    }


def test_every_foreign_exception_has_its_leaf() -> None:
    found = {
        name: type(translate(kind.__new__(kind), host="api.itick.org"))
        for name, kind in kinds(urllib3.exceptions).items()
    }

    assert found == URLLIB3


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
        (ValueError("x"), U),
    ],
)
def test_exceptions_of_the_standard_library_have_their_leaf(
    error: Exception, leaf: type[SyncError]
) -> None:
    assert type(translate(error, host="api.itick.org")) is leaf
