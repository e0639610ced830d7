"""执行命令的进程:照吩咐的时钟走,在吩咐的地方死去。

The program itself knows nothing of faults: its functions are wrapped here, before the
command begins. Children are forked by a server that has loaded everything, so that a
kill costs no second of start-up.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.context import ForkServerProcess
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stocksync_site.settings")

import django
from django.utils import timezone

from .clock import Clock

_clock: list[Clock] = []
_real_now = timezone.now


def _now() -> datetime:
    return _clock[0].moment() if _clock else _real_now()


# Before anything of ours is imported and keeps the function as a default.
timezone.now = _now
django.setup()


@dataclass(frozen=True, slots=True)
class Fault:
    """第 `number` 次经过 `point` 时发生的事。

    `signal` is sent to the process itself; 0 lets its wall clock jump `jump` seconds.
    """

    point: str
    number: int = 1
    signal: int = 9
    jump: float = 0.0


@dataclass(frozen=True, slots=True)
class Order:
    """吩咐:命令、时钟、日志写到哪里,还有故障。

    `plants` are faults planted in the program. `port` leads to the database by another
    way, `host` is the machine's name, `task` is a job to be done instead of a command.
    """

    command: tuple[str, ...]
    clock: Clock
    log: str
    fault: Fault | None = None
    plants: tuple[str, ...] = ()
    port: int = 0
    host: str = ""
    task: tuple[str, list[Any]] | None = None


def keep(clock: Clock) -> None:
    """这个进程从现在起照这个时钟走。"""
    _clock[:] = [clock]


def jump(seconds: float) -> None:
    """这个进程墙上的时间跳一下。"""
    keep(_clock[0].jumped(seconds))


def begin(order: Order) -> ForkServerProcess:
    """在一个新的进程里执行吩咐。"""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "tests.faults.loaded"])
    process = context.Process(target=execute, args=(order,))
    process.start()
    return process


def execute(order: Order) -> None:
    """在这个进程里执行吩咐。"""
    from django.core.management import call_command  # noqa: PLC0415
    from django.utils.module_loading import import_string  # noqa: PLC0415

    from . import patches  # noqa: PLC0415  # needs the program loaded

    _write_to(order.log)
    keep(order.clock)
    patches.keep_time(lambda: _clock[0])
    for plant in order.plants:
        patches.plant(plant)
    if order.fault:
        patches.arm(order.fault, jump=jump)
    patches.connect(port=order.port, speed=order.clock.speed)
    if order.host:
        patches.call_machine(order.host)
    if order.task:
        name, arguments = order.task
        print(import_string(name)(*arguments), flush=True)
    else:
        call_command(*order.command)


def _write_to(path: str) -> None:
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    sys.stdout.flush()
    for stream in (1, 2):
        os.dup2(log, stream)
