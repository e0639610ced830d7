"""一台数据库没了:被杀掉、停住、断了网线,由集群里的另一台接着写。"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.context import ForkServerProcess

from django.db import connection
from django_q.models import OrmQ

from sync.models import SyncShard
from tests.galera import Galera, Node

from . import jobs, machines
from .kills import LIFE
from .report import Tally
from .stage import Stage

HOSTS = ("near", "far", "farther")


def killed(stage: Stage, tally: Tally, times: int) -> None:
    """kill -9;回来时一次还有数据,一次是一台空的机器。"""

    def back(galera: Galera, node: Node) -> None:
        if tally.times % 2:
            node.replace()
        galera.start(node)

    _lost(stage, tally, times, Node.kill, back)


def frozen(stage: Stage, tally: Tally, times: int) -> None:
    """停住,别人接着写,后来又醒了。"""
    _lost(stage, tally, times, Node.freeze, lambda _, node: node.thaw())


def cut_off(stage: Stage, tally: Tally, times: int) -> None:
    """与所有人断开,后来又接上。"""
    _lost(stage, tally, times, Node.cut_off, lambda _, node: node.connect_again())


def all_written(stage: Stage, tally: Tally, times: int) -> None:
    """三个节点都有人写:抢同一个任务,抢同一些 Token,分做一次运行。"""
    galera = stage.place.galera
    ports = [node.direct_port for node in galera.nodes]
    before = galera.conflicts()
    while tally.times < times:
        _one_job(stage, tally, ports)
        _one_pool(stage, tally, ports)
        _one_run(stage, ports)
        tally.times += 1
        stage.complete()
    if galera.conflicts() == before:
        tally.missed.append("no transaction lost to another node")
    _no_call_twice(stage, tally)


def _lost(
    stage: Stage,
    tally: Tally,
    times: int,
    lose: Callable[[Node], None],
    back: Callable[[Galera, Node], None],
) -> None:
    galera = stage.place.galera
    while tally.times < times:
        stage.ready()
        process = stage.begin()
        # A run that is being registered has no patience yet: it is refused.
        machines.until(_begun(process), "the run did not begin")
        process.join(stage.dice.uniform(0, LIFE))
        if working := process.is_alive():
            writer = galera.writer()
            lose(writer)
            tally.waited.append(round(galera.wait_for_writer(), 1))
            connection.close()
        code = stage.until_end(process)
        tally.expect(code in {0, 3}, f"the run ended with {code}")
        if working:
            back(galera, writer)
            galera.wait_until_whole()
            tally.times += 1
    stage.complete()
    _no_call_twice(stage, tally)


def _begun(process: ForkServerProcess) -> Callable[[], bool]:
    return lambda: machines.works("") or not process.is_alive()


def _one_job(stage: Stage, tally: Tally, ports: list[int]) -> None:
    stage.ready()
    stage.until_end(stage.begin("--background"))
    for row in OrmQ.objects.all():
        jobs.race(stage, (row.task["func"], list(row.task["args"])), ports=ports)
    OrmQ.objects.all().delete()
    attempts = set(SyncShard.objects.values_list("attempts", flat=True))
    tally.expect(attempts <= {0, 1}, f"claimed {attempts} times")
    stage.complete()


def _one_pool(stage: Stage, tally: Tally, ports: list[int]) -> None:
    runs: list[ForkServerProcess] = []
    for host, port in zip(HOSTS, ports, strict=True):
        stage.ready(new=bool(runs))
        runs.append(stage.begin(host=host, port=port))
    codes = {stage.until_end(run) for run in runs}
    tally.expect(codes <= {0, 3}, f"they ended with {codes}")
    stage.complete()


def _one_run(stage: Stage, ports: list[int]) -> None:
    stage.ready()
    with ExitStack() as stack:
        for host, port in zip(HOSTS, ports, strict=True):
            stack.enter_context(machines.cluster(stage, host=host, port=port))
        machines.half_way(stage)
        machines.until_over(stage)


def _no_call_twice(stage: Stage, tally: Tally) -> None:
    repeated = stage.provider.repeated(set(stage.provider.codes("HK")))
    tally.expect(not repeated, f"{repeated} calls asked what had been answered")
