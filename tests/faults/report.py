"""一次演习的结果。"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sync.models import Kline
from tests.e2e import world

if TYPE_CHECKING:
    from .stage import Stage


@dataclass(slots=True)
class Tally:
    """一次演习里做了什么。

    `times` the fault has struck; `missed` is why it did not strike as often as it
    should; `wrong` is what the program should have done and did not. `waited` are the
    seconds until the database could be written to again.
    """

    times: int = 0
    wrong: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)

    def expect(self, fact: bool, text: str) -> None:
        """应该是这样;不是就记下来。"""
        if not fact:
            self.wrong.append(text)


@dataclass(frozen=True, slots=True)
class Outcome:
    """表里的一行。

    `repeated` calls asked what had been answered before; those `given_up` were
    reserved, never made, and count as made. `planted` names the fault that was put
    into the program to be found.
    """

    name: str
    text: str
    seed: str
    times: int
    klines: int
    calls: int
    repeated: int
    given_up: int
    seconds: float
    wrong: list[str]
    missed: list[str]
    planted: str = ""
    waited: list[float] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """故障发生了,什么也没有错;埋了错误的,要找得到才算好。"""
        return not self.missed and bool(self.wrong) == bool(self.planted)


def facts(stage: Stage) -> dict[str, int]:
    """数一数。"""
    stage.note_given_up()
    known = set(stage.provider.codes("HK"))
    return {
        "klines": Kline.objects.count(),
        "calls": world.calls(stage.provider),
        "repeated": stage.provider.repeated(known),
        "given_up": stage.given_up,
    }
