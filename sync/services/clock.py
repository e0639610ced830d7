"""时钟:走得像这台机器的单调时钟,说的是数据库的时间。

Leases, heartbeats and calls are dated by one process and looked at by others, on
machines whose own clocks may be wrong; so all go by the one clock that they share.
SQLite has none, and no second machine either.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from threading import Event
from typing import ClassVar

from django.db import connection

# An answer that took longer says too little about when it was given: ask again.
CLOSE = 1.0  # seconds
ATTEMPTS = 3


class SharedClock:
    """这个进程的时钟;全部实例共用同一次对时的结果。

    What it tells is the machine's time until it has been set.
    """

    # Seconds from the monotonic clock to the epoch's.
    _shift: ClassVar[float | None] = None

    def now(self) -> float:
        """返回单调时钟的秒数。"""
        return time.monotonic()

    def epoch(self) -> float:
        """返回数据库的时间,纪元秒,按上一次对时推算。"""
        return time.time() if self._shift is None else self.now() + self._shift

    def wait(self, event: Event, seconds: float) -> bool:
        """等到事件发生或时间到,返回事件是否发生。"""
        return event.wait(seconds)

    def set(self) -> None:
        """向数据库对时,结果给这个进程里全部的时钟用。

        A process that was frozen while it asked would date its calls by the time of its
        sleep, so it asks again; where all answers are slow it keeps what it knew.
        """
        connection.ensure_connection()
        for _ in range(ATTEMPTS):
            asked = self.now()
            answer = database_time()
            took = self.now() - asked
            if took <= CLOSE:
                break
        if took <= CLOSE or self._shift is None:
            SharedClock._shift = answer - asked - took / 2


def moment() -> datetime:
    """返回数据库的时间,按上一次对时推算,不问数据库。"""
    return datetime.fromtimestamp(SharedClock().epoch(), UTC)


def now() -> datetime:
    """向数据库对时,然后返回它的时间。"""
    SharedClock().set()
    return moment()


def database_time() -> float:
    """向数据库问它的时间,返回纪元秒。"""
    if connection.vendor != "mysql":
        return time.time()
    with connection.cursor() as cursor:
        cursor.execute("SELECT UTC_TIMESTAMP(6)")
        answer: datetime = cursor.fetchone()[0]
    return answer.replace(tzinfo=UTC).timestamp()
