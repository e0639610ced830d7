"""一块一块送出去的回答:同时只有几个,谁读得慢都不耽误别人。

A slow reader holds one thread of the web server and nothing else: between two reads the
database connection is given back; one that takes nothing is cut by the server.
"""

from __future__ import annotations

import weakref
import zlib
from collections.abc import Iterator
from threading import BoundedSemaphore

from django.conf import settings
from django.db import connection
from django.http import StreamingHttpResponse
from rest_framework.exceptions import APIException
from rest_framework.request import Request

PIECE = 32 * 1024
WAIT = 5  # what Retry-After says
GZIP, FAST = 16 + zlib.MAX_WBITS, 1
_slots = BoundedSemaphore(max(0, settings.API_EXPORTS_AT_ONCE))  # a check speaks


class Busy(APIException):
    """已经有太多导出在进行。"""

    status_code = 429  # not 503: that is logged as an error of ours
    default_detail = "Too many exports are being read: try again in a moment."
    default_code = "busy"
    wait = WAIT


class Pieces:
    """占着一个位置,一块一块地给;关上以后位置和数据库连接都还了。

    A class, not a generator: one that was never begun would not run its `finally`.
    """

    def __init__(self, text: Iterator[str], *, gzip: bool) -> None:
        if not _slots.acquire(blocking=False):
            raise Busy
        # Also where nobody closes it. Runs once.
        self._release = weakref.finalize(self, _slots.release)
        self._pieces = _cut(_zipped(text) if gzip else map(str.encode, text))

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        """还掉位置;再关一次什么也不发生。"""
        self._release()


def stream(
    text: Iterator[str], request: Request, *, name: str
) -> StreamingHttpResponse:
    """把文本流变成 CSV 的回答,对方接受的话压缩;太多的时候抛出 Busy。"""
    gzip = _takes_gzip(request)
    pieces = Pieces(_released(text), gzip=gzip)
    answer = StreamingHttpResponse(pieces, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["Cache-Control"] = "no-store"
    answer["Vary"] = "Accept-Encoding"
    answer["X-Accel-Buffering"] = "no"  # nginx would keep it in a file
    if gzip:
        answer["Content-Encoding"] = "gzip"
    return answer


def _released(text: Iterator[str]) -> Iterator[str]:
    """给出下一块之前还掉数据库连接:对方也许要读很久。"""
    for each in text:
        if not connection.in_atomic_block:
            connection.close()
        yield each


def _takes_gzip(request: Request) -> bool:
    for wanted in request.headers.get("Accept-Encoding", "").lower().split(","):
        name, _, quality = wanted.replace(" ", "").partition(";q=")
        if name in {"gzip", "*"}:
            return quality.rstrip("0.") != "" if quality else True
    return False


def _zipped(text: Iterator[str]) -> Iterator[bytes]:
    packer = zlib.compressobj(FAST, wbits=GZIP)
    for each in text:
        yield packer.compress(each.encode())
    yield packer.flush()


def _cut(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """差不多一样大的块:小的合起来,大的切开。"""
    kept = bytearray()
    for block in blocks:
        kept += block
        while len(kept) >= PIECE:
            yield bytes(kept[:PIECE])
            del kept[:PIECE]
    yield bytes(kept)
