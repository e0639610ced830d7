"""两个任务集群做一次运行:120 个 Token,一个进程用得了 60 个。

As two machines would: each cluster is `manage.py qcluster` with one worker.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from django.conf import settings
from django.utils import timezone

from sync import services
from sync.models import SyncRun

from . import runs, tables
from .figures import Figure, lower, medians

LATENCY_MS = 200
TOKENS = 120
GOAL = 1.9
PATIENCE = 300.0  # seconds


def measure(*, quick: bool) -> list[Figure]:
    """一个集群和两个集群各要多久,从接手到结束。"""
    stocks, rounds = (40, 1) if quick else (1_000, 3)
    with runs.world(stocks=stocks, latency_ms=LATENCY_MS):
        runs.enable(TOKENS)
        counts = {number: partial(_seconds, number) for number in (1, 2)}
        taken = medians(counts, rounds=rounds)
    place = tables.database()
    against = (lower(taken[2], "1 cluster", taken[1], GOAL),)
    return [
        Figure("1 cluster, a worker of 10 lanes", place, taken[1], "s", rounds),
        Figure("2 clusters", place, taken[2], "s", rounds, against),
    ]


def _seconds(clusters: int) -> float:
    tables.empty()
    window = runs.MONTH
    request = services.SyncRequest(window.start, window.end, markets=("HK",))
    with _clusters(clusters):
        run = services.start(request, at=timezone.now(), background=True)
        _wait_for(run)
    assert run.state == "succeeded", f"{run.state}: {run.error} {run.reasons}"
    workers = set(run.shards.values_list("process", flat=True))
    assert len(workers) == clusters, f"worked on by {workers}"
    return run.seconds


@contextmanager
def _clusters(count: int) -> Iterator[None]:
    # Tokens are sent to the host of the base URL as well.
    variables = {"Q_WORKERS": "1", "ITICK_BASE_URL": "http://127.0.0.1"}
    command = [sys.executable, "manage.py", "qcluster"]
    processes = [
        subprocess.Popen(
            command,
            cwd=settings.ROOT,
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for _ in range(count)
    ]
    try:
        time.sleep(3)  # so that both are there when the jobs come
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=60)


def _wait_for(run: SyncRun) -> None:
    latest = time.monotonic() + PATIENCE
    while not run.finished_at and time.monotonic() < latest:
        time.sleep(0.1)
        run.refresh_from_db()
