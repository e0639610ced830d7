"""停机和拦截:请求还没有到 iTick 就有了结果。"""

from __future__ import annotations

import time
from threading import Lock
from typing import Literal, get_args

from .answers import Answer, json_answer

Mode = Literal["reset", "503", "403"]
_WALL = b"<html><head><title>403 Forbidden</title></head><body>Request blocked.</body>"
_ANSWERS = {
    "reset": Answer(b"", delivery="reset"),
    "503": json_answer({"message": "service unavailable"}, status=503),
    "403": Answer(_WALL + b"</html>", status=403, content_type="text/html"),
}


class Outages:
    """现在有没有停机或拦截,以及它拦下了多少次请求。

    Any thread may ask. Nothing that it stops is counted as a call of the key.
    """

    def __init__(self) -> None:
        self.met = 0
        self._answer: Answer | None = None
        self._until = float("inf")
        self._calls_left = float("inf")
        self._lock = Lock()

    def begin(
        self, mode: str, *, calls: int | None = None, seconds: float | None = None
    ) -> None:
        """从现在起每个请求都断开(reset)、答 503,或者被防火墙拦下(403)。

        Until `end`, or for the next `calls`, or for `seconds`. Raises ValueError for
        any other mode.
        """
        if mode not in _ANSWERS:
            raise ValueError(f"mode is one of {', '.join(get_args(Mode))}")
        with self._lock:
            self._answer = _ANSWERS[mode]
            self._calls_left = float("inf") if calls is None else calls
            self._until = time.monotonic() + (
                float("inf") if seconds is None else seconds
            )

    def end(self) -> None:
        """恢复服务。"""
        with self._lock:
            self._answer = None

    def stop(self) -> Answer | None:
        """这个请求如果被拦下,拦它的回答;否则 None。"""
        if self._answer is None:  # the usual case, without the lock
            return None
        with self._lock:
            if self._calls_left <= 0 or time.monotonic() >= self._until:
                self._answer = None
            if self._answer is not None:
                self._calls_left -= 1
                self.met += 1
            return self._answer
