"""通道告诉协调者的事,以及传这些话的有界队列。"""

from __future__ import annotations

from dataclasses import dataclass
from queue import Queue

from .errors import TokenFault
from .pacing import RateLimiter
from .ports import Failure, Part, Token

BARS = 32_000  # that may wait for the coordinator before lanes are held back
LEAST = 100  # bars that a message counts for at least


@dataclass(frozen=True, slots=True)
class TokenOut:
    """一个 Token 出了问题,离开这次运行。"""

    limiter: RateLimiter
    error: TokenFault


@dataclass(frozen=True, slots=True)
class TokenRests:
    """一个 Token 被限流,要休息若干秒。"""

    limiter: RateLimiter
    seconds: float
    text: str


@dataclass(frozen=True, slots=True)
class BatchTooLarge:
    """一个 Token 一次问不了 `asked` 只股票,以后最多问 `batch` 只。

    `empty` tells an answer without bars from a refusal.
    """

    token: Token
    asked: int
    batch: int
    empty: bool


@dataclass(frozen=True, slots=True)
class LaneEnded:
    """一条通道结束了;`error` 是意外的异常。"""

    number: int
    error: Exception | None = None


Message = Part | Failure | TokenOut | TokenRests | BatchTooLarge | LaneEnded


class MessageQueue(Queue[Message]):
    """按 K 线根数算满不满的消息队列。

    Parts of 1,000 bars are what fills the memory; parts of 20 come by the hundred while
    the coordinator writes, and lanes must not wait for it with so little to report.
    """

    def __init__(self, bars: int = BARS) -> None:
        super().__init__(bars)

    def half_full(self) -> bool:
        """队列是不是已经半满。"""
        return self._bars * 2 >= self.maxsize

    # The four hooks that queue.Queue documents for its subclasses.

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
