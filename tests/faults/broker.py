"""演习用的私有 Redis:什么也不存盘,杀掉就什么也不剩。"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from tests.mariadb import SBIN, CannotStart, _free_port, death_signal

PATIENCE = 20.0


class Redis:
    """一个私有的 Redis 服务器。"""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()

    @property
    def url(self) -> str:
        """Q_BROKER_URL 的值。"""
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """启动,等到可以连接为止。"""
        program = shutil.which("redis-server", path=SBIN)
        if not program:
            raise CannotStart("redis-server is not installed; 'make faults' does it.")
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen(
            [*death_signal(), program, *options, "--dir", str(self._folder)],
            stdout=subprocess.DEVNULL,
        )
        give_up_at = time.monotonic() + PATIENCE
        while not self._answers():
            if time.monotonic() > give_up_at:
                raise CannotStart("redis-server does not answer.")
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9。"""
        process, self._process = self._process, None
        if process:
            process.kill()
            process.wait()

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True
