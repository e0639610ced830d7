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
HALF_WAY = 0.5  # a run takes a second or two


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
    """两个集群,正在工作的那一个整个被杀掉。"""
    while tally.times < times:
        stage.ready()
        with cluster(stage, host="far") as far:
            _asked(stage)
            time.sleep(stage.dice.uniform(0, HALF_WAY))
            with cluster(stage, host="near"):
                working = _somebody_works()
                os.killpg(far, signal.SIGKILL)
                stage.provider.settle()
                tally.times += working
                _until_over(stage, tally)
        stage.complete()


def cut_off_cluster(stage: Stage, tally: Tally, times: int) -> None:
    """两个集群,正在工作的那一个与数据库断开,后来又回来。"""
    with Proxy(stage.place.server.port) as proxy:
        while tally.times < times:
            stage.ready()
            with cluster(stage, host="far", port=proxy.port):
                _asked(stage)
                time.sleep(stage.dice.uniform(0, HALF_WAY))
                proxy.cut()
                working = _somebody_works()
                with cluster(stage, host="near"):
                    _until_over(stage, tally)
                    proxy.mend(reset=stage.dice.random() < 0.5)
                    stage.wait_for(PAST_THE_LEASE)
            tally.times += working
            stage.complete()
        told = stage.said("was taken over by another process")
        tally.expect(told, "back again, nobody noticed that he was late")


@contextmanager
def cluster(stage: Stage, *, host: str, port: int = 0) -> Iterator[int]:
    """一台机器上的 django-q2 集群;给出它的进程组。"""
    with anew.begin(stage.order("qcluster", host=host, port=port)) as process:
        try:
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def _asked(stage: Stage) -> None:
    stage.until_end(stage.begin("--background"))
    _until(_somebody_works, "nobody took the run")


def _until_over(stage: Stage, tally: Tally) -> None:
    """等到运行有了结果;别的机器上每分钟一次的收拾也在进行。"""

    def over() -> bool:
        stage.until_end(stage.start(task=("sync.tasks.revive_runs", [])))
        return SyncRun.objects.latest("pk").state in {"succeeded", "partial"}

    try:
        _until(over, "the run was not taken over")
    except AssertionError as late:
        tally.wrong.append(str(late))


def _somebody_works() -> bool:
    return SyncShard.objects.filter(state="running").exists()


def _until(true: Callable[[], bool], otherwise: str) -> None:
    give_up_at = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < give_up_at, otherwise
        time.sleep(AGAIN)
