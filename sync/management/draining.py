"""停下任务集群:正在执行分片的工作进程收到信号,在几秒内收尾。

django-q2 alone waits until its workers have finished what they do, however long that
takes. A shard that is asked to stop is put back into the queue, and nothing is lost.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from django_q.cluster import Cluster

AGAIN = 1.0  # seconds; a worker may take up a job that was handed out before


class DrainingCluster(Cluster):  # type: ignore[misc]
    """收到 SIGTERM 或 Ctrl-C 时不等分片做完的集群。"""

    start_event: Any
    stop_event: Any

    def stop(self) -> bool:
        """停下,等到全部进程都结束。"""
        if not self.sentinel.is_alive():
            return False
        self.stop_event.set()
        while self.sentinel.is_alive():
            for worker in busy_children(self.sentinel.pid):
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGTERM)
            self.sentinel.join(AGAIN)
        self.start_event = self.stop_event = None
        return True


def busy_children(parent: int) -> Iterator[int]:
    """正在执行分片的子进程:它们自己处理 SIGTERM。

    The signal would kill an idle worker, perhaps while it holds the queue's lock, and
    the others would wait for that for ever. None where there is no /proc.
    """
    for child in _children(parent):
        if _catches(child, signal.SIGTERM):
            yield child


def _children(parent: int) -> list[int]:
    text = _read(f"/proc/{parent}/task/{parent}/children")
    return [int(number) for number in text.split()]


def _catches(process: int, number: signal.Signals) -> bool:
    for line in _read(f"/proc/{process}/status").splitlines():
        name, _, value = line.partition(":")
        if name == "SigCgt":
            return bool(int(value, 16) >> (number - 1) & 1)
    return False


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
