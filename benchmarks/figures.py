"""量出来的数字,以及它们的对手和目标。"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, TypeVar

N = TypeVar("N", str, int)


@dataclass(frozen=True, slots=True)
class Against:
    """和什么比。

    `share` is how many times as good as `what` the figure is; `value` what that
    itself came to, in the figure's unit. `goal` is the least share wanted, if any.
    """

    what: str
    value: float
    share: float
    goal: float | None = None

    @property
    def met(self) -> bool:
        """达到目标没有;没有目标就算达到。"""
        return self.goal is None or self.share >= self.goal


@dataclass(frozen=True, slots=True)
class Figure:
    """一个数字:`runs` 次的中位数。"""

    name: str
    database: str
    value: float
    unit: str
    runs: int
    against: tuple[Against, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """写进文件的样子。"""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Figure:
        """从 `as_json` 读回来。"""
        against = tuple(Against(**each) for each in values["against"])
        return cls(**{**values, "against": against})


def higher(value: float, what: str, rival: float, goal: float | None = None) -> Against:
    """越大越好的数字和对手比。"""
    return Against(what, rival, value / rival, goal)


def lower(value: float, what: str, rival: float, goal: float | None = None) -> Against:
    """越小越好的数字和对手比。"""
    return Against(what, rival, rival / value, goal)


def seconds(work: Callable[[], object]) -> float:
    """做一遍要多少秒。"""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def medians(
    contenders: Mapping[N, Callable[[], float]], *, rounds: int
) -> dict[N, float]:
    """各做几轮,取中位数。

    Each contender tells its own seconds. They take turns, so that what else the
    machine does meanwhile meets all of them.
    """
    taken: dict[N, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, measure in contenders.items():
            taken[name].append(measure())
    return {name: median(times) for name, times in taken.items()}
