"""进程空间各自独立、主机名一样的进程,像两个容器。"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sync.services import processes

SAY = """
import runpy, sys
module = runpy.run_path(sys.argv[1])
name, asked = module["this_process"](), sys.argv[2]
if asked.count(":") == 1:
    asked = name.rsplit(":", 2)[0] + ":" + asked
print(name, *([module["is_gone"](asked)] if asked else []), flush=True)
input()
"""


@contextmanager
def in_a_space_of_its_own(
    *, proc_of_the_host: bool = False, asks: str = ""
) -> Iterator[str]:
    """一个活着的进程,在自己的进程空间里;给出它的名字。

    With `asks` the answer follows whether a process of that name is gone, as seen from
    there; of its own space where only number and start are given.
    """
    apart = ["unshare", "--pid", "--fork", "--kill-child"]
    apart += [] if os.geteuid() == 0 else ["--map-root-user"]
    apart += [] if proc_of_the_host else ["--mount-proc"]
    if subprocess.run([*apart, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine permits no process spaces")
    command = [*apart, sys.executable, "-c", SAY, processes.__file__, asks]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()
