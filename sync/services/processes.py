"""这个进程是谁,另一个进程还在不在。"""

from __future__ import annotations

import os
import socket
from pathlib import Path

PROC = Path("/proc")
PARTS = 4  # of a process's name


def this_process() -> str:
    """这个进程的名字:主机、进程空间、进程号、启动时间。

    The start time tells it from a later process that was given the same number. Of
    containers that share a host name each has its own space.
    """
    number = os.getpid()
    return f"{socket.gethostname()}:{_space()}:{number}:{_started(number)}"


def shown_process(process: str) -> str:
    """给人看的名字:主机和进程号。"""
    host, *rest = process.rsplit(":", PARTS - 1)
    return f"{host} ({rest[1]})" if len(rest) == PARTS - 1 else process


def is_gone(process: str) -> bool:
    """判断同一进程空间里的这个进程是否肯定已经不在。

    False for a process of another host or another space: nobody here can know. False as
    well for a name of another form, which an older version has written.
    """
    parts = process.rsplit(":", PARTS - 1)
    if len(parts) != PARTS or not parts[2].isdecimal() or not _sees_its_own_space():
        return False
    host, space, number, started = parts
    if (host, space) != (socket.gethostname(), _space()):
        return False
    return _started(int(number)) != started


def _space() -> str:
    """进程空间的名字;没有 /proc 时为空。

    The boot's id belongs to it: on every machine the first namespace has one number.
    """
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text()[:8]
        namespace = str((PROC / "self/ns/pid").readlink())
    except OSError:
        return ""
    return f"{boot}.{namespace.removeprefix('pid:').strip('[]')}"


def _sees_its_own_space() -> bool:
    """/proc 是不是这个进程空间的。

    A container may be shown its host's, where the same numbers mean other processes.
    """
    try:
        return (PROC / "self").readlink().name == str(os.getpid())
    except OSError:
        return False


def _started(number: int) -> str:
    """启动时间(开机以来的时钟周期);进程不在时为空。

    The 22nd field of /proc/N/stat; the second may hold blanks and brackets. A zombie
    has ended already.
    """
    try:
        fields = (PROC / f"{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
