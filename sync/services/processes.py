"""这个进程是谁,另一个进程还在不在。"""

from __future__ import annotations

import os
import socket
from pathlib import Path


def this_process() -> str:
    """这个进程的名字:主机、进程号、启动时间。

    The start time tells it from a later process that was given the same number.
    """
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def is_gone(process: str) -> bool:
    """这台主机上的进程肯定已经不在了。

    False for a process of another host: nobody here can know.
    """
    host, _, rest = process.partition(":")
    number, _, started = rest.partition(":")
    if host != socket.gethostname() or not number.isdecimal():
        return False
    return _started(int(number)) != started


def _started(number: int) -> str:
    """启动时间(开机以来的时钟周期);进程不在时为空。

    The 22nd field of /proc/N/stat; the second may hold blanks and brackets. A zombie
    has ended already.
    """
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
