"""走得快的时钟:几分钟的限额在几秒里验证,没有人真的等。"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from threading import Event

import pytest

from .world import Staged

# A lease of a minute lasts three seconds, which a busy machine still keeps.
QUICK = 20.0


class FastClock:
    """引擎的时钟、服务商的时钟和墙上的时钟,一样快。

    Begins as fast as real time, at `start` or now.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._speed = 1.0
        self._real = time.monotonic()
        self._here = 0.0
        self._epoch = start.timestamp() if start else time.time()

    def hurry(self, speed: float = QUICK) -> None:
        """从现在起快这么多倍。"""
        self._here, self._real, self._speed = self.now(), time.monotonic(), speed

    def now(self) -> float:
        """单调时钟的秒数。"""
        return self._here + (time.monotonic() - self._real) * self._speed

    def epoch(self) -> float:
        """纪元秒。"""
        return self._epoch + self.now()

    def moment(self) -> datetime:
        """墙上的时间。"""
        return datetime.fromtimestamp(self.epoch(), UTC)

    def set(self) -> None:
        """没有别的钟可以照着拨。"""

    def wait(self, event: Event, seconds: float) -> bool:
        """等到事件发生或时间到。"""
        return event.wait(seconds / self._speed)


def wind(clock: FastClock, sim: Staged, *, patch: pytest.MonkeyPatch) -> None:
    """让程序和模拟器的账都照这个时钟走。"""
    patch.setattr("sync.services.shards.execution.SharedClock", lambda: clock)
    sim._accounts._clock = clock.now
