"""走得快的时钟,几个进程共用:几分钟的限额在几秒里验证。"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Event


@dataclass(frozen=True, slots=True)
class Clock:
    """一个时钟;别的进程拿到同样的值,就看到同样的时间。

    Linux has one monotonic clock for all processes, and all is reckoned from that.
    `began` are epoch seconds at `origin`; `wrong` is how far the wall clock is off.
    """

    speed: float
    origin: float
    began: float
    wrong: float = 0.0

    @classmethod
    def starting(cls, at: datetime, *, speed: float) -> Clock:
        """从 `at` 开始走的时钟。"""
        return cls(speed, time.monotonic(), at.timestamp())

    def now(self) -> float:
        """单调时钟的秒数。"""
        return self.began + (time.monotonic() - self.origin) * self.speed

    def epoch(self) -> float:
        """墙上的时间,纪元秒。"""
        return self.now() + self.wrong

    def moment(self) -> datetime:
        """墙上的时间。"""
        return datetime.fromtimestamp(self.epoch(), UTC)

    def wait(self, event: Event, seconds: float) -> bool:
        """等到事件发生或时间到。"""
        return event.wait(seconds / self.speed)

    def ahead(self, seconds: float) -> Clock:
        """人人都等过了这么多秒。"""
        return replace(self, began=self.began + seconds)

    def jumped(self, seconds: float) -> Clock:
        """只有墙上的时间跳了这么多秒。"""
        return replace(self, wrong=self.wrong + seconds)

    def right(self) -> Clock:
        """同一个时钟,墙上的时间是对的。"""
        return replace(self, wrong=0.0)
