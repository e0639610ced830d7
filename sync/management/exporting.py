"""导出的进度:终端上是进度条,别处是文字行。"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from sync.services import ExportWatch

EVERY = 10.0  # seconds between two plain lines


@contextmanager
def shown(stream: TextIO, *, quiet: bool) -> Iterator[ExportWatch]:
    """给出一个函数,告诉它做完了多少只股票、共多少只、多少行。"""
    if quiet:
        yield lambda _done, _total, _rows: None
    elif stream.isatty():
        with _bar(stream) as bar:
            task = bar.add_task("stocks", total=None, rows=0)
            yield lambda done, total, rows: bar.update(
                task, completed=done, total=total, rows=rows
            )
    else:
        yield _Lines(stream)


def _bar(stream: TextIO) -> Progress:
    rows = TextColumn("{task.fields[rows]:,} K-lines")
    head = TextColumn("{task.description}")
    columns = head, BarColumn(bar_width=None), MofNCompleteColumn(), rows
    return Progress(*columns, console=Console(file=stream))


class _Lines:
    """每隔一会儿一行。"""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._next = time.monotonic() + EVERY

    def __call__(self, done: int, total: int, rows: int) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY
        print(f"{done:,}/{total:,} stocks, {rows:,} K-lines", file=self._stream)
        self._stream.flush()
