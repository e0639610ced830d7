"""让几个线程同时去做一件事。"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connection

T = TypeVar("T")
PATIENCE = 60


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
