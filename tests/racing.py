"""让几个线程同时去做一件事。"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, BrokenBarrierError
from typing import TypeVar

from django.db import connection

T = TypeVar("T")
PATIENCE = 60
# On SQLite who comes second cannot begin before the first is done: no meeting then.
MEETING = 2


class Meeting:
    """几个线程在这里碰头一次;以后经过不再等。"""

    def __init__(self, parties: int) -> None:
        self._barrier = Barrier(parties)

    def __call__(self) -> None:
        try:
            self._barrier.wait(timeout=MEETING)
        except BrokenBarrierError:
            return
        self._barrier.abort()


def at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """每个调用一个线程,一起开始;返回各自的结果。

    Each thread has a connection of its own, opened before the start and closed at the
    end.
    """
    barrier = Barrier(len(calls))

    def one(call: Callable[[], T]) -> T:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=PATIENCE)
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(one, call) for call in calls]
        return [future.result(timeout=PATIENCE) for future in futures]
