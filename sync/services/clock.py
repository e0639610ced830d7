"""真正的时钟。"""

from __future__ import annotations

import time
from threading import Event


class SystemClock:
    """操作系统的时钟。"""

    def now(self) -> float:
        """单调时钟的秒数。"""
        return time.monotonic()

    def epoch(self) -> float:
        """纪元秒。"""
        return time.time()

    def wait(self, event: Event, seconds: float) -> bool:
        """等到事件发生或时间到。"""
        return event.wait(seconds)
