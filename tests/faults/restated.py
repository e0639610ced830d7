"""kill -9 在历史换口径的时候:存下的要么全是旧的,要么全是新的。"""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

from tests.e2e import world

from .executor import Fault
from .report import Tally
from .stage import KILLED, LAST_WEEK, Stage

# With what is noted, with bars put aside, with the old ones gone, with the new ones in
# place and not committed: of SERIES each time.
POINTS = ("noted", "staged", "swap", "swapped")
SERIES = 5


def killed(stage: Stage, tally: Tally, times: int) -> None:
    """每一个有名字的地方都死一次,然后补齐。"""
    stage.complete()
    for _ in range(times):
        for point in POINTS:
            stage.ready(new=True)
            tally.times += _struck(stage, tally, point)
            stage.complete()


def _struck(stage: Stage, tally: Tally, point: str) -> bool:
    before = world.stored("HK")
    moved = stage.dice.sample(sorted(before), SERIES)
    for code in moved:
        day = LAST_WEEK[1] + timedelta(days=1)
        stage.provider.restate("HK", code, day, price=Fraction(1, 2))
    number = 1 if point == "noted" else stage.dice.randint(1, SERIES)
    ended = stage.until_end(stage.begin(fault=Fault(f"restated-{point}", number)))
    if ended != KILLED:
        tally.missed.append(f"{point} was not passed {number} times")
    tally.wrong += _mixed(stage, before, moved)
    return ended == KILLED


def _mixed(
    stage: Stage, before: dict[str, list[world.Row]], moved: list[str]
) -> list[str]:
    """存下的既不全是旧的、也不全是新的序列。"""
    now, true = world.stored("HK"), world.truth(stage.provider, stage.wanted, "HK")
    return [
        f"{code}: neither the old history nor the new one"
        for code in moved
        if now.get(code) not in (before[code], [tuple(row) for row in true[code]])
    ]
