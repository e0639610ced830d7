"""真的任务集群,用测试的数据库。"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from scripts.serve import _dies_with_us

from .processes import database_url, until

PATIENCE = 20.0
READY = b"pushing tasks at"  # the last thing it says before it takes jobs


@contextmanager
def cluster(folder: Path, **variables: str) -> Iterator[None]:
    """manage.py qcluster,已经在等任务;`with` 结束时它和它的进程都不在了。

    What it says is in `folder`. Only the parent is told to stop, as `make serve` does.
    """
    with (folder / "qcluster.log").open("wb") as log:
        process = subprocess.Popen(
            _dies_with_us([sys.executable, "manage.py", "qcluster"]),
            cwd=settings.ROOT,
            env=os.environ | {"DATABASE_URL": database_url()} | variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            until(lambda: READY in Path(log.name).read_bytes())
            yield
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
