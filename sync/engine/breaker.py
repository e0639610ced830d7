"""熔断:服务商不可用时停下来,不再浪费额度。"""

from __future__ import annotations

from collections import deque
from threading import Lock

SHARE = 0.8
TOKENS = 3


class Breaker:
    """服务商不可用时断开的熔断器;断开后不再合上。

    It opens when of the last `window` calls more than SHARE failed, on TOKENS tokens or
    more (or on all there are): with one token it may be the token's own trouble.
    """

    def __init__(self, tokens: int, *, window: int) -> None:
        self._lock = Lock()
        self._outcomes: deque[tuple[int, bool]] = deque(maxlen=window)
        self._window = window
        self._tokens = min(TOKENS, tokens)
        self._open = False

    @property
    def open(self) -> bool:
        """熔断器是否已经断开。"""
        return self._open

    def note(self, token_id: int, *, failed: bool) -> None:
        """记下一次请求的结果;任何线程都可以调用。"""
        with self._lock:
            self._outcomes.append((token_id, failed))
            if failed and len(self._outcomes) == self._window:
                bad = [token for token, wrong in self._outcomes if wrong]
                many = len(bad) > SHARE * self._window
                self._open |= many and len(set(bad)) >= self._tokens
