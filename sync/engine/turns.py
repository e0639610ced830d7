"""通道手里的东西:一只股票还缺什么,一轮里有哪几只。"""

from __future__ import annotations

from dataclasses import dataclass, replace

from . import coverage
from .caller import Asked
from .paging import Walk
from .ports import Page, Task
from .sharing import FirstPages, Together


class Hand:
    """手里的一只股票:还没有取到的段,和取到了却缺 K 线的段。

    `walk` is that of the first piece, which may get its first page together with other
    stocks.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.left = coverage.cut(task.windows, task.covered, task.period)
        self.spoiled: list[Walk] = []
        self.walk = Walk(task, self.left[0])

    def rest(self) -> Task:
        """没有做完的部分,留给别的通道。"""
        again = [*self.left, *(walk.window for walk in self.spoiled)]
        windows = tuple(coverage.remaining(self.task.windows, again))
        return replace(self.task, windows=windows)


@dataclass(frozen=True, slots=True)
class Turn:
    """一轮:一只股票,或者几只共用一次请求的;第一页已经问了,还没有读。"""

    hands: list[Hand]
    first: FirstPages | None = None
    together: Asked[Together] | None = None
    alone: Asked[Page] | None = None

    @property
    def asked(self) -> Asked[Together] | Asked[Page]:
        """发出去的请求。"""
        asked = self.together or self.alone
        assert asked
        return asked
