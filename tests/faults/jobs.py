"""后台的任务送来两次,或者和 Redis 一起没了。"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from django.utils.module_loading import import_string
from django_q.brokers import get_broker
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from sync.models import SyncShard

from . import anew
from .broker import Redis
from .executor import Fault, Order
from .report import Tally
from .stage import Stage
from .zombies import until_stopped, wake

UNHEARD = 301.0
PATIENCE = 40.0


def twice(stage: Stage, tally: Tally, times: int) -> None:
    """同一个任务同时送给两个进程;两个都看过分片以后,才同时去抢。"""
    for _ in range(times):
        stage.ready()
        stage.until_end(stage.begin("--background"))
        for row in OrmQ.objects.all():
            race(stage, (row.task["func"], list(row.task["args"])))
            tally.times += 1
        OrmQ.objects.all().delete()
        attempts = set(SyncShard.objects.values_list("attempts", flat=True))
        tally.expect(attempts <= {0, 1}, f"claimed {attempts} times")
        stage.complete()


def together(stage: Stage, tally: Tally, times: int) -> None:
    """两台机器同时开始两次不同的运行,Token 是同一些。"""
    for _ in range(times):
        runs: list[ForkServerProcess] = []
        for host in ("near", "far"):
            stage.ready(new=bool(runs))
            runs.append(stage.begin(host=host))
        codes = {stage.until_end(run) for run in runs}
        tally.expect(codes <= {0, 3}, f"they ended with {codes}")
        tally.times += 1
        stage.complete()


def redis(stage: Stage, tally: Tally, times: int) -> None:
    """Redis 被杀掉:任务没了,或者还没有人能接;运行照样登记,照样完成。"""
    with Redis(stage.folder) as server:
        for number in range(times):
            stage.ready()
            away = number % 2
            if away:
                server.kill()
            asked = _anew(stage, server, stage.asking("--background"))
            tally.expect(asked.returncode == 0, "asked without Redis, it was refused")
            if not away:
                server.kill()
            server.start()
            stage.clock = stage.clock.ahead(UNHEARD)
            _anew(stage, server, stage.order(task=("sync.tasks.revive_runs", [])))
            worker = stage.order(task=("tests.faults.jobs.work", []))
            with anew.begin(worker, Q_BROKER_URL=server.url) as process:
                stage.provider.at_call(
                    stage.provider.asked + stage.dice.randint(1, 40), server.kill
                )
                _ended(process)
            tally.times += 2
            tally.expect(not stage.todo(), f"not done: {_last(worker)}")
            server.kill()
            server.start()
            stage.complete()


def work() -> str:
    """像一个工作进程那样,取一个任务来做。"""
    taken = get_broker().dequeue()
    if not taken:
        return "there is no job"
    task = SignedPackage.loads(taken[0][1])
    return str(import_string(task["func"])(*task["args"], **task["kwargs"]))


def race(
    stage: Stage, task: tuple[str, list[Any]], *, ports: Sequence[int] = (0, 0)
) -> None:
    """几个进程同时去抢一个任务,各走各的端口去数据库。"""
    fault = Fault("to-claim", signal=signal.SIGSTOP)
    racers = [stage.start(task=task, fault=fault, port=port) for port in ports]
    for racer in racers:
        until_stopped(racer)
    for racer in racers:
        wake(racer)
    for racer in racers:
        stage.until_end(racer)


def _anew(stage: Stage, server: Redis, order: Order) -> subprocess.Popen[bytes]:
    with anew.begin(order, Q_BROKER_URL=server.url) as process:
        _ended(process)
    return process


def _ended(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(PATIENCE)
    finally:
        process.kill()


def _last(order: Order) -> str:
    return (Path(order.log).read_text().splitlines() or [""])[-1]
