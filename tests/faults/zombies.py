"""被当成死了的进程回来了:停住,等租约过去,别人接手,再让它继续。"""

from __future__ import annotations

import os
import signal
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from sync.models.shards import SILENT
from sync.simulator.faults import NO_FAULTS, Faults

from .executor import Fault
from .report import Tally
from .stage import Stage

# By then anybody may take it for dead.
PAST_THE_LEASE = SILENT.total_seconds() + 2
PATIENCE = 20.0
STOPPED = 4  # the exit code of a run that was stopped


def with_klines(stage: Stage, tally: Tally, times: int) -> None:
    """手里有取到的 K 线,还没有写。

    What it holds differs from what its successor stores: the same rows once more would
    hide that nobody has stopped it.
    """
    for _ in range(times):
        stage.ready()
        stage.provider.stale = True
        sleeper = asleep(stage, "save")
        stage.provider.stale = False
        _succeed_and_wake(stage, tally, sleeper)


def with_failures(stage: Stage, tally: Tally, times: int) -> None:
    """手里有失败,还没有记;接手的人都取到了。"""
    for _ in range(times):
        stage.ready()
        stage.provider.faults = Faults(spurious_e001=1.0)
        sleeper = asleep(stage, "record")
        stage.provider.faults = NO_FAULTS
        _succeed_and_wake(stage, tally, sleeper)


def in_transaction(stage: Stage, tally: Tally, times: int) -> None:
    """正在一个事务里,锁还在它手里。"""
    for _ in range(times):
        stage.ready()
        sleeper = asleep(stage, "before-commit")
        _succeed_and_wake(stage, tally, sleeper)


def asleep(stage: Stage, point: str, **more: object) -> ForkServerProcess:
    """在一个有名字的地方停住的进程。"""
    fault = Fault(point, signal=signal.SIGSTOP)
    process = stage.begin(fault=fault, **more)
    until_stopped(process)
    return process


def until_stopped(process: ForkServerProcess) -> None:
    """等到进程停住。"""
    give_up_at = time.monotonic() + PATIENCE
    while _state(process.pid) != "T":
        assert time.monotonic() < give_up_at, "the process did not stop"
        time.sleep(0.01)


def wake(process: ForkServerProcess) -> None:
    """让停住的进程继续。"""
    assert process.pid
    os.kill(process.pid, signal.SIGCONT)


def _succeed_and_wake(stage: Stage, tally: Tally, sleeper: ForkServerProcess) -> None:
    stage.wait_for(PAST_THE_LEASE)
    code = stage.until_end(stage.begin())
    tally.expect(code in {0, 3}, f"the successor ended with {code}")
    stage.frozen += 1
    wake(sleeper)
    code = stage.until_end(sleeper)
    tally.times += 1
    tally.expect(code == STOPPED, f"woken up, it ended with {code}")
    stage.complete()


def _state(pid: int | None) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
