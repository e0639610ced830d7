"""这个进程是谁,另一个进程还在不在。"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sync.services import processes
from sync.services.processes import is_gone, this_process

from .containers import in_a_space_of_its_own

HOST = socket.gethostname()
SPACE = this_process().rsplit(":", 2)[0]


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """一个什么也不做的子进程。"""
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def name_of(child: subprocess.Popen[bytes]) -> str:
    started = processes._started(child.pid)
    assert started.isdecimal()
    return f"{SPACE}:{child.pid}:{started}"


def test_this_process_is_not_gone() -> None:
    assert not is_gone(this_process())
    assert this_process().startswith(f"{SPACE}:{os.getpid()}:")
    assert SPACE.startswith(f"{HOST}:")


def test_another_process_is_gone_once_it_has_ended(
    child: subprocess.Popen[bytes],
) -> None:
    name = name_of(child)
    alive = not is_gone(name)

    child.kill()
    child.wait(timeout=30)

    assert (alive, is_gone(name)) == (True, True)


def test_a_zombie_is_gone(child: subprocess.Popen[bytes]) -> None:
    name = name_of(child)

    child.kill()
    # Waits for its end and leaves it a zombie.
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert is_gone(name)


def test_a_later_process_with_the_same_number_is_another() -> None:
    assert is_gone(f"{SPACE}:{os.getpid()}:1")


def test_of_another_hosts_process_nobody_knows() -> None:
    _host, number, started = this_process().rsplit(":", 2)

    space = SPACE.removeprefix(HOST)

    assert not is_gone(f"elsewhere{space}:{number}:{started}")
    assert not is_gone(f"elsewhere{space}:1:1")


def test_of_another_process_space_nobody_knows() -> None:
    with in_a_space_of_its_own() as name:
        alive = is_gone(name)
    ended = is_gone(name)

    assert name.startswith(f"{HOST}:")
    assert (alive, ended) == (False, False)


def test_who_is_shown_the_processes_of_its_host_judges_none() -> None:
    with in_a_space_of_its_own(proc_of_the_host=True, asks=f"{SPACE}:7:1") as answer:
        name, gone = answer.split()

    # Its number 1 is not the process that /proc/1 tells of.
    assert name.split(":")[2] == "1"
    assert gone == "False"


def test_in_its_own_space_a_process_is_told_from_a_dead_one() -> None:
    with in_a_space_of_its_own(asks="7:1") as answer:
        _name, gone = answer.split()

    assert gone == "True"


def test_a_name_that_an_older_version_has_written_is_not_judged() -> None:
    assert not is_gone(f"{HOST}:{os.getpid()}:1")


@pytest.mark.parametrize(
    "name", ["", ":", "::", ":::", HOST, f"{SPACE}:", f"{SPACE}:x:1", f"{SPACE}:-1:1"]
)
def test_garbage_names_no_process_that_is_gone(name: str) -> None:
    assert not is_gone(name)


@pytest.mark.parametrize("number", ["²", "٣²", "1.5", " 7"])
def test_odd_numbers_name_no_process_that_is_gone(number: str) -> None:
    assert not is_gone(f"{SPACE}:{number}:1")


def test_a_number_no_process_has_is_gone() -> None:
    assert is_gone(f"{SPACE}:{10**30}:1")
