"""kill -9:在随机的时刻,和在有名字的地方。"""

from __future__ import annotations

from functools import partial

from .executor import Fault
from .report import Tally
from .stage import KILLED, Stage

# A run of 300 stocks takes two to six seconds here.
LIFE = 2.5
# A run of 60 stocks passes there this often at least: a fault strikes at one of them.
PASSINGS = {
    "claim": 1,
    "lease": 1,
    "reserve": 2,
    "request": 55,
    "answer": 55,
    "rows": 2,
    "before-commit": 2,
    "after-commit": 2,
    "heartbeat": 3,
    "failure": 1,
    "recorded": 1,
    "release": 1,
    "end": 1,
}


def at_random(stage: Stage, tally: Tally, times: int) -> None:
    """kill -9 在随机的时刻。

    A process that has ended by itself before its moment does not count.
    """
    while tally.times < times:
        stage.ready()
        process = stage.begin()
        tally.times += stage.kill_after(process, stage.dice.uniform(0, LIFE))
    stage.complete()


def at(point: str, *, passing: int = 0) -> partial[None]:
    """kill -9 在一个有名字的地方,第 `passing` 次经过时;0 是随便哪一次。"""
    return partial(_at, point, passing)


def everywhere(stage: Stage, tally: Tally, _times: int) -> None:
    """kill -9 在每一个有名字的地方各一次,一次接着一次。"""
    for point in PASSINGS:
        stage.ready(new=True)
        tally.times += _struck(stage, tally, point, 0)
    stage.complete()


def _at(point: str, passing: int, stage: Stage, tally: Tally, times: int) -> None:
    for _ in range(times):
        stage.ready()
        tally.times += _struck(stage, tally, point, passing)
        stage.complete()


def _struck(stage: Stage, tally: Tally, point: str, passing: int) -> bool:
    number = passing or stage.dice.randint(1, PASSINGS[point])
    code = stage.until_end(stage.begin(fault=Fault(point, number)))
    if code != KILLED:
        tally.missed.append(f"{point} was not passed {number} times")
    return code == KILLED
