"""数据库前面的 TCP 中转:能把一台机器从数据库切断。"""

from __future__ import annotations

import contextlib
import socket
import struct
from threading import Event, Lock, Thread
from typing import Self

_RESET = struct.pack("ii", 1, 0)
CHUNK = 65536


class Proxy:
    """一个端口,通到另一个端口。

    `cut` stops all bytes both ways without a word, as a cable does that is pulled;
    `mend` lets them flow again, and with `reset` breaks what was open, as a router does
    that has forgotten it. Safe for any number of threads.
    """

    def __init__(self, target: int) -> None:
        self._target = ("127.0.0.1", target)
        self._flowing = Event()
        self._flowing.set()
        self._lock = Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # shutdown, because a close alone does not wake who waits in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.mend(reset=True)

    def cut(self) -> None:
        """切断。"""
        self._flowing.clear()

    def mend(self, *, reset: bool) -> None:
        """接上;`reset` 的话,原来的连接都断开。"""
        if reset:
            with self._lock:
                ends, self._open = self._open, set()
            for end in ends:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        self._flowing.set()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        self._flowing.wait()
        try:
            far = socket.create_connection(self._target)
        except OSError:
            near.close()
            return
        with self._lock:
            self._open |= {near, far}
        for source, target in ((near, far), (far, near)):
            Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                self._flowing.wait()
                target.sendall(data)
        with self._lock:
            self._open -= {source, target}
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
