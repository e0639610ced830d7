"""Ctrl-C、SIGTERM 和期限:请求停下,而不是当场死掉。"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Timer
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signals() -> Iterator[Event]:
    """收到 Ctrl-C 或 SIGTERM 时设置事件;同一信号再来一次就按系统原来的方式处理。"""
    stop = Event()
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def ask(number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in SIGNALS:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class InnerStop(Event):
    """一部分工作的停止事件:整个进程要停时也算;自己停了,别的接着做。

    Only who waits for it may set it, for a wait ends with the outer one.
    """

    def __init__(self, outer: Event) -> None:
        super().__init__()
        self._outer = outer

    def is_set(self) -> bool:
        """自己或者整个进程被要求停下。"""
        return super().is_set() or self._outer.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """等到整个进程被要求停下,或者时间到。"""
        return super().is_set() or self._outer.wait(timeout)


@contextmanager
def stop_after(seconds: float, stop: Event) -> Iterator[None]:
    """过了期限时设置 `stop`;提前做完就不设置。"""
    timer = Timer(seconds, stop.set)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
