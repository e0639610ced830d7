"""别的东西坏了:数据库、服务商、Token、时钟。"""

from __future__ import annotations

import time
from dataclasses import replace

from django.db import connection

from sync.simulator.faults import NO_FAULTS, Faults
from tests.e2e import world

from .executor import Fault
from .kills import LIFE
from .report import Tally
from .stage import Stage

HOUR = 3600.0


def database(stage: Stage, tally: Tally, times: int) -> None:
    """MariaDB 被杀掉又起来,运行要挺过去。"""
    while tally.times < times:
        stage.ready()
        process = stage.begin()
        process.join(stage.dice.uniform(0.3, LIFE))
        if process.is_alive():
            stage.place.server.kill()
            time.sleep(stage.dice.uniform(0, 0.5))
            stage.place.server.start()
            connection.close()
            tally.times += 1
        code = stage.until_end(process)
        tally.expect(code in {0, 3}, f"the run ended with {code}")
    stage.complete()


def broken_answers(stage: Stage, tally: Tally, times: int) -> None:
    """三成的回答是坏的。"""
    for number in range(times):
        stage.ready()
        mixed = Faults.mixed(0.3, seed=number)
        # One that drips costs half a minute, whatever the clock.
        stage.provider.faults = replace(mixed, drip=0.0, timeout_seconds=0.2)
        stage.until_end(stage.begin())
        tally.times += 1
        stage.provider.faults = NO_FAULTS
        stage.complete()


def revoked(stage: Stage, tally: Tally, _times: int) -> None:
    """全部 Token 在半路被作废;换上新的以后接着取。"""
    provider = stage.provider
    keys = list(provider.ledger)[: -len(stage.spare)]
    provider.at_call(40, lambda: [provider.revoke(key) for key in keys])
    stage.until_end(stage.begin())
    tally.times += 1
    most = max(usage.rejected for usage in provider.ledger.values())
    tally.expect(most == 1, f"{most} calls with a token that had been refused")
    world.hold_tokens(provider, stage.spare)
    stage.complete()


def clock(stage: Stage, tally: Tally, times: int) -> None:
    """一台机器的时钟跳一小时,一次往后,一次往前;别的机器的是对的。

    It jumps in the middle of a run, and another machine goes on in the same minute;
    then it is wrong from the beginning of a run, which is killed, and others go on.
    """
    for number in range(times):
        hour = HOUR if number % 2 else -HOUR
        moment = stage.dice.randint(1, 50)
        stage.ready()
        stage.until_end(stage.begin(fault=Fault("answer", moment, 0, hour)))
        stage.ready()
        stage.until_end(stage.begin())
        stage.ready()
        wrong = stage.begin(clock=stage.clock.jumped(hour))
        stage.kill_after(wrong, stage.dice.uniform(0, LIFE))
        tally.times += 1
        stage.complete()


def spent(stage: Stage, tally: Tally, times: int) -> None:
    """一天的额度在半路用完。"""
    for _ in range(times):
        stage.ready()
        stage.until_end(stage.begin())
        tally.expect(bool(stage.todo()), "the day's calls were not used up")
        tally.times += 1
        stage.complete()
