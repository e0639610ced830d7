"""全部演习。"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from . import jobs, kills, losses, machines, oracle, outages, restated, trusted, zombies
from .ground import Ground
from .report import Outcome, Tally, facts
from .stage import Stage, stage

Play = Callable[[Stage, Tally, int], None]
# The least whose limits a run of all its stocks meets.
SMALL = {"stocks": 60, "unknown": 3, "tokens": 12, "minute_limit": 5, "speed": 40.0}
# Where the limit of a day is not what it is about.
AMPLE = {"daily_limit": 1000}
# Where few calls are made one after another.
BRISK = {"stocks": 30, "tokens": 6, "minute_limit": 30} | AMPLE
# For more processes than there are cores.
CALM = {"speed": 20.0} | AMPLE
# A loss of the writer takes seconds that no clock makes shorter.
PATIENT = {"speed": 2.0, "patience": 150.0} | AMPLE
# The size that the campaign is about.
LARGE = {"stocks": 300, "unknown": 6, "tokens": 30, "minute_limit": 12, "speed": 20.0}


@dataclass(frozen=True, slots=True)
class Scenario:
    """一种故障。

    It strikes once for each `share` of the number asked for, and at least once.
    `planted` is a fault in the program that the scenario must find.
    """

    text: str
    play: Play
    share: int = 1
    options: dict[str, Any] = field(default_factory=dict)
    planted: str = ""

    def times(self, number: int) -> int:
        """发生几次。"""
        return max(1, number // self.share)


def perform(
    name: str, *, place: Ground, number: int, seed: int, plants: tuple[str, ...] = ()
) -> Outcome:
    """演习一次,说出结果。"""
    scenario = (SCENARIOS | GALERA)[name]
    planted = tuple(filter(None, (*plants, scenario.planted)))
    began = time.monotonic()
    tally = Tally()
    own = f"{seed}:{name}"
    options = SMALL | scenario.options
    with stage(place, name=name, seed=own, plants=planted, **options) as scene:
        try:
            scenario.play(scene, tally, scenario.times(number))
        except AssertionError as broken:
            tally.missed.append(str(broken))
        wrong = tally.wrong + oracle.wrong(scene)
        counted = facts(scene)
    return Outcome(
        name=name,
        text=scenario.text,
        seed=own,
        times=tally.times,
        seconds=round(time.monotonic() - began, 1),
        wrong=wrong,
        missed=tally.missed,
        planted=scenario.planted,
        waited=tally.waited,
        **counted,
    )


def _at(point: str, text: str) -> tuple[str, Scenario]:
    play = kills.at(point)
    return f"at-{point}", Scenario(f"kill -9 {text}", play, share=10)


def _planted(
    plant: str, text: str, found_by: str, **options: Any
) -> tuple[str, Scenario]:
    found = (SCENARIOS | GALERA)[found_by]
    return f"planted-{plant}", replace(
        found,
        text=f"planted: {text}",
        planted=plant,
        share=100,
        options=found.options | options,
    )


SCENARIOS: dict[str, Scenario] = {
    "kills": Scenario("kill -9 at a random moment", kills.at_random, options=LARGE),
    **dict(
        [
            _at("claim", "after the claim"),
            _at("lease", "after the tokens were leased"),
            _at("reserve", "after the reserve"),
            _at("request", "after a request was sent"),
            _at("answer", "after an answer"),
            _at("rows", "in a transaction, before its rows"),
            _at("before-commit", "before the commit"),
            _at("after-commit", "after the commit"),
            _at("heartbeat", "in a heartbeat"),
            _at("failure", "in recording a failure"),
            _at("recorded", "after recording a failure"),
            _at("release", "in the release"),
            _at("end", "in writing the end of the run"),
        ]
    ),
    "points": Scenario("kill -9 at every named point once", kills.everywhere),
    "full-minute": Scenario(
        "kill -9 when the minute is nearly used up",
        kills.at("answer", passing=55),
        20,
        {"speed": 10.0},
    ),
    "zombie-klines": Scenario(
        "taken for dead with klines in hand, then back", zombies.with_klines, 20, AMPLE
    ),
    "zombie-failures": Scenario(
        "taken for dead with failures in hand, then back",
        zombies.with_failures,
        20,
        AMPLE,
    ),
    "zombie-transaction": Scenario(
        "taken for dead in a transaction, then back", zombies.in_transaction, 50, AMPLE
    ),
    "twice": Scenario("a job delivered twice at the same moment", jobs.twice, 10),
    "together": Scenario("two runs at the same moment", jobs.together, 20, AMPLE),
    "cut-off": Scenario(
        "a machine cut off from the database, then back", machines.cut_off, 10, AMPLE
    ),
    "cluster-killed": Scenario(
        "two clusters share a run, one is killed", machines.killed, 20, CALM
    ),
    "cluster-cut-off": Scenario(
        "two clusters share a run, one is cut off, then back",
        machines.cut_off_cluster,
        20,
        CALM,
    ),
    "redis": Scenario("Redis killed, its jobs lost", jobs.redis, 20, AMPLE),
    "database": Scenario(
        "MariaDB killed and restarted", outages.database, 5, LARGE | AMPLE
    ),
    "broken": Scenario("30% of the answers broken", outages.broken_answers, 20),
    "revoked": Scenario(
        "every token revoked in the middle", outages.revoked, 100, {"spare": 12}
    ),
    "clock": Scenario("the clock of one machine jumps an hour", outages.clock, 10),
    "restated": Scenario(
        "kill -9 while series are fetched anew", restated.killed, 20, AMPLE
    ),
    "audit": Scenario("kill -9 in an audit", trusted.audit, 20, BRISK | {"unknown": 0}),
    "verification": Scenario(
        "kill -9 in a verification", trusted.verification, 20, BRISK
    ),
    "splits": Scenario("kill -9 while splits are loaded", trusted.splits, 20, BRISK),
    "silence": Scenario(
        "kill -9 while silent stocks are weighed",
        trusted.silence,
        20,
        BRISK | {"stocks": 12},
    ),
    "spent": Scenario(
        "the day's calls used up in the middle", outages.spent, 20, {"daily_limit": 3}
    ),
}
# What a cluster of three databases outlives; needs `--galera`.
GALERA: dict[str, Scenario] = {
    "writer-killed": Scenario(
        "Galera's writer killed", losses.killed, 10, LARGE | PATIENT
    ),
    "writer-frozen": Scenario(
        "Galera's writer frozen, then back", losses.frozen, 10, LARGE | PATIENT
    ),
    "writer-cut-off": Scenario(
        "Galera's writer cut off, then back", losses.cut_off, 10, LARGE | PATIENT
    ),
    "all-written": Scenario(
        "all three nodes of Galera written to", losses.all_written, 100, LARGE | PATIENT
    ),
}
SCENARIOS |= dict(
    [
        _planted("status-first", "coverage committed before the klines", "at-rows"),
        _planted("no-fence", "no fence check", "zombie-klines"),
        _planted("no-claim", "a claim that looks at nothing", "twice"),
        _planted("no-limit", "a reserve that looks at no limit", "spent", patience=6.0),
        _planted("nothing-carried", "lost calls are forgotten", "full-minute"),
        _planted("swap-in-two", "a history replaced in two transactions", "restated"),
        _planted("days-in-two", "an audit's days in two transactions", "audit"),
        _planted("mended-first", "bars mended before they count", "verification"),
        _planted("splits-first", "splits stored before who compares them", "splits"),
        _planted("counted-first", "an answer counted before it is weighed", "silence"),
        _planted("own-clock", "leases dated by the machine's own clock", "clock"),
    ]
)
GALERA |= dict([_planted("impatient", "no waiting for the database", "writer-killed")])
