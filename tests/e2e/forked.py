"""从分叉服务器分出来的命令,用起来和 `subprocess.Popen` 一样。"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from typing import IO, Self

from django.conf import settings

NUMBER = 32  # bytes of a process number or an exit code, at most


class Forked:
    """一个命令;`with` 结束时它的管道都关上。

    `kill` and its like may be called from any thread.
    """

    def __init__(self, *words: str, database_url: str) -> None:
        self.args = words
        self.returncode: int | None = None
        self.stdout, out = _pipe()
        self.stderr, error = _pipe()
        self._told, told = _pair()
        brought = [os.open(os.devnull, os.O_RDONLY), out, error, told.detach()]
        socket.send_fds(_server(database_url), [json.dumps(words).encode()], brought)
        for number in brought:
            os.close(number)
        self._pid = int(self._told.recv(NUMBER))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()
        for each in (self.stdout, self.stderr, self._told):
            each.close()

    def poll(self) -> int | None:
        """退出码;还在跑则是 None。"""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """等到它结束。"""
        if self.returncode is None:
            self._told.settimeout(timeout)
            try:
                self.returncode = int(self._told.recv(NUMBER))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
        return self.returncode

    def communicate(self, *, timeout: float | None = None) -> tuple[str, str]:
        """等到它结束,收下它说的话;时间到了还没有结束就杀掉它。"""
        # Both at once: a pipe that nobody reads would hold it up.
        with ThreadPoolExecutor(2) as readers:
            out, error = map(readers.submit, (self.stdout.read, self.stderr.read))
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        return out.result(), error.result()

    def send_signal(self, sig: int) -> None:
        """发一个信号;已经结束了就算了。"""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, sig)

    def terminate(self) -> None:
        """SIGTERM。"""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL。"""
        self.send_signal(signal.SIGKILL)


def _pipe() -> tuple[IO[str], int]:
    reading, writing = os.pipe()
    return os.fdopen(reading), writing


def _pair() -> tuple[socket.socket, socket.socket]:
    # What is sent at once arrives at once.
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


@lru_cache
def _server(database_url: str) -> socket.socket:
    """A server whose commands use this database; it ends with us."""
    ours, theirs = _pair()
    with theirs:
        number = str(theirs.fileno())
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.preloaded", number],
            cwd=settings.ROOT,
            env=os.environ | {"DATABASE_URL": database_url},
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    atexit.register(server.wait)
    atexit.register(ours.close)
    return ours
