"""通道给协调者的消息,一个有界的队列。"""

from __future__ import annotations

from queue import Queue

from .lanes import Message
from .ports import Part

BARS = 32_000  # that may wait for the coordinator before lanes are held back
LEAST = 100  # bars that a message counts for at least


class Results(Queue[Message]):
    """按 K 线根数算满不满的队列。

    Parts of 1,000 bars are what fills the memory; parts of 20 come by the hundred while
    the coordinator writes, and lanes must not wait for it with so little in hand.
    """

    def half_full(self) -> bool:
        """是不是已经半满。"""
        return self._bars * 2 >= self.maxsize

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self._bars = 0

    def _qsize(self) -> int:
        return self._bars

    def _put(self, item: Message) -> None:
        super()._put(item)
        self._bars += _size(item)

    def _get(self) -> Message:
        item = super()._get()
        self._bars -= _size(item)
        return item


def _size(message: Message) -> int:
    return max(LEAST, len(message.klines)) if isinstance(message, Part) else LEAST
