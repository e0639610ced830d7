"""两台机器:一台死了,或者与数据库断了联系,等别人接手以后又回来。"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sync.models import SyncRun, SyncShard

from . import anew
from .kills import LIFE
from .proxy import Proxy
from .report import Tally
from .stage import Stage
from .zombies import PAST_THE_LEASE, STOPPED

PATIENCE = 40.0
AGAIN = 0.05


def cut_off(stage: Stage, tally: Tally, times: int) -> None:
    """一台机器与数据库断开;租约过去,别人做完以后,联系又恢复了。"""
    with Proxy(stage.place.server.port) as proxy:
        while tally.times < times:
            stage.ready()
            far = stage.begin(port=proxy.port, host="far")
            far.join(stage.dice.uniform(0.2, LIFE))
            working = far.is_alive()
            proxy.cut()
            stage.wait_for(PAST_THE_LEASE)
            code = stage.until_end(stage.begin())
            tally.expect(code in {0, 3}, f"the successor ended with {code}")
            proxy.mend(reset=stage.dice.random() < 0.5)
            code = stage.until_end(far)
            tally.expect(
                code == STOPPED or not working, f"back again, it ended with {code}"
            )
            tally.times += working
            stage.complete()


def killed(stage: Stage, tally: Tally, times: int) -> None:
    """两个集群分做一次运行,其中一个整个被杀掉。"""
    while tally.times < times:
        stage.ready()
        with cluster(stage, host="far") as far, cluster(stage, host="near"):
            half_way(stage)
            working = works("far")
            os.killpg(far, signal.SIGKILL)
            tally.times += working
            until_over(stage)
        stage.complete()


def cut_off_cluster(stage: Stage, tally: Tally, times: int) -> None:
    """两个集群分做一次运行,其中一个与数据库断开,后来又回来。"""
    with Proxy(stage.place.server.port) as proxy:
        while tally.times < times:
            stage.ready()
            with (
                cluster(stage, host="far", port=proxy.port),
                cluster(stage, host="near"),
            ):
                half_way(stage)
                proxy.cut()
                working = works("far")
                until_over(stage)
                proxy.mend(reset=stage.dice.random() < 0.5)
                # Back again, it writes nothing: the oracle looks after that.
                stage.wait_for(PAST_THE_LEASE)
            tally.times += working
            stage.complete()


@contextmanager
def cluster(stage: Stage, *, host: str, port: int = 0) -> Iterator[int]:
    """一台机器上的 django-q2 集群;给出它的进程组。"""
    with anew.begin(stage.order("qcluster", host=host, port=port)) as process:
        try:
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def half_way(stage: Stage) -> None:
    """请他们做一次四个分片的运行,等到有人在做,再等一会儿。"""
    stage.until_end(stage.begin("--background", "--shards", "4"))
    until(lambda: works(""), "nobody took the run")
    time.sleep(stage.dice.uniform(0, 1))


def until_over(stage: Stage) -> None:
    """等到运行有了结果;别的机器上每分钟一次的收拾也在进行。"""

    def over() -> bool:
        stage.until_end(stage.start(task=("sync.tasks.revive_runs", [])))
        return SyncRun.objects.latest("pk").state in {"succeeded", "partial"}

    until(over, "the run was not taken over")


def works(host: str) -> bool:
    """这台机器上有没有分片在执行;空的是随便哪台。"""
    running = SyncShard.objects.filter(state="running")
    return running.filter(process__startswith=host).exists()


def until(true: Callable[[], bool], otherwise: str) -> None:
    """等到是这样;等得太久就不等了。"""
    give_up_at = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < give_up_at, otherwise
        time.sleep(AGAIN)
