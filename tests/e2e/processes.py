"""manage.py 的命令,跑在自己的进程里,用测试的数据库。"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from urllib.parse import quote

from django.conf import settings
from django.db import connection

from .forked import Forked

PATIENCE = 30.0

Process = subprocess.Popen[str] | Forked


def database_url() -> str:
    """测试数据库的地址。"""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    user, password = quote(database["USER"], ""), quote(database["PASSWORD"], "")
    place = f"{database['HOST']}:{database['PORT']}/{database['NAME']}"
    return f"mysql://{user}:{password}@{place}"


@contextmanager
def starting(*command: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """跑一个 Python 程序;`with` 结束时它一定已经不在了。"""
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=settings.ROOT,
        env=os.environ | {"DATABASE_URL": database_url()} | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def managing(*arguments: str, **variables: str) -> Iterator[Process]:
    """开始一个命令;`with` 结束时它一定已经不在了。

    Forked from a server that has loaded all there is to load; one that needs an
    environment of its own is started anew.
    """
    if variables:
        with starting("manage.py", *arguments, **variables) as process:
            yield process
        return
    with Forked(*arguments, database_url=database_url()) as forked:
        try:
            yield forked
        finally:
            forked.kill()


def manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """执行一个命令到结束。"""
    with managing(*arguments, **variables) as process:
        return finished(process)


def finished(
    process: Process, *, seconds: float = PATIENCE
) -> subprocess.CompletedProcess[str]:
    """等进程结束,收下它说的话。"""
    stdout, stderr = process.communicate(timeout=seconds)
    return subprocess.CompletedProcess(process.args, process.wait(), stdout, stderr)


def kill_once(condition: Callable[[], bool], process: Process) -> None:
    """等到有这么回事,马上杀掉这个进程。"""
    until(condition)
    process.kill()


def until(condition: Callable[[], bool]) -> None:
    """等到有这么回事。"""
    latest = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < latest
        sleep(0.1)  # other processes, whose doings nothing here announces
