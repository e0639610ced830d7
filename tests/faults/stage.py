"""一次演习的舞台:股票、Token、服务商、共用的时钟,和执行命令的进程。"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from random import Random
from typing import Any

from django.db import connection

from sync.services import SyncRequest
from sync.simulator import Account, demo_accounts
from tests.e2e import world
from tokens.models import ApiToken
from tokens.quota import next_day_at

from . import executor, ground
from .clock import Clock
from .executor import Order
from .ground import Ground
from .provider import Provider

# A minute of limits and leases lasts three seconds, which a busy machine still keeps.
SPEED = 20.0
# Over for good; no simulated stock was listed later than a year before.
LAST_WEEK = (date(2026, 6, 8), date(2026, 6, 12))
WEEKS = 48
PATIENCE = 30.0
KILLED, TOO_LATE = -9, -99
AT_MOST = 12  # runs until everything must be there


@dataclass(slots=True)
class Stage:
    """演习的舞台。

    Weeks are asked for from the last one backwards, so that there is always something
    left to do, and up to `until`; `unknown` are stocks that the provider does not know.
    `frozen` is how many processes have been stopped and woken.
    """

    provider: Provider
    clock: Clock
    dice: Random
    place: Ground
    folder: Path
    minute_limit: int
    daily_limit: int
    unknown: set[str]
    spare: list[Account]
    plants: tuple[str, ...] = ()
    patience: float = PATIENCE
    frozen: int = 0
    weeks: int = 1
    until: date = LAST_WEEK[1]
    given_up: int = 0
    starts: Iterator[int] = field(default_factory=lambda: count(1))
    running: list[ForkServerProcess] = field(default_factory=list)

    @property
    def wanted(self) -> SyncRequest:
        """到现在为止要的全部。"""
        start = LAST_WEEK[0] - timedelta(weeks=self.weeks - 1)
        return world.request(start, self.until)

    def todo(self) -> set[str]:
        """还没有取齐的股票。"""
        return world.uncovered(self.wanted) - self.unknown

    def ready(self, *, new: bool = False) -> None:
        """有事可做,也有额度可用;`new` 说要另外一件事。"""
        if new or not self.todo():
            self.weeks += 1
            assert self.weeks <= WEEKS, "no weeks are left"
        self.rest_if_spent()

    def order(self, *command: str, **more: Any) -> Order:
        """吩咐一个命令。"""
        log = str(self.folder / f"{next(self.starts)}.log")
        clock = more.pop("clock", self.clock)
        return Order(command, clock, log, plants=self.plants, **more)

    def asking(self, *flags: str, **more: Any) -> Order:
        """吩咐同步要的全部。"""
        days = ("--start", str(self.wanted.start), "--end", str(self.wanted.end))
        command = ("sync_klines", "--market", "HK", *days, "--json", *flags)
        return self.order(*command, **more)

    def begin(self, *flags: str, **more: Any) -> ForkServerProcess:
        """开始同步要的全部。"""
        return self._forked(self.asking(*flags, **more))

    def start(self, *command: str, **more: Any) -> ForkServerProcess:
        """开始一个命令。"""
        return self._forked(self.order(*command, **more))

    def _forked(self, order: Order) -> ForkServerProcess:
        process = executor.begin(order)
        self.running.append(process)
        return process

    def until_end(self, process: ForkServerProcess) -> int:
        """等进程结束,返回退出码;等不到就杀掉它。"""
        process.join(self.patience)
        late = process.is_alive()
        process.kill()
        process.join()
        # The server may have hung up meanwhile on who did nothing for so long.
        connection.close()
        if process.exitcode == KILLED:
            self.provider.settle()
        return TOO_LATE if late else process.exitcode or 0

    def kill_after(self, process: ForkServerProcess, seconds: float) -> bool:
        """这么久以后 kill -9;它自己已经结束了返回 False。"""
        process.join(seconds)
        alive = process.is_alive()
        process.kill()
        process.join()
        self.provider.settle()
        return alive and process.exitcode == KILLED

    def complete(self, **more: Any) -> None:
        """一次一次地跑,直到齐全;额度用完就等到第二天。"""
        for _ in range(AT_MOST):
            self.rest_if_spent()
            self.until_end(self.begin(**more))
            if not self.todo():
                return

    def rest_if_spent(self) -> None:
        """今天的额度所剩无几时,等到第二天的前后。"""
        at = self.clock.moment()
        tokens = ApiToken.objects.all()
        if tokens.with_calls_left(at=at).count() > len(tokens) // 3:
            return
        self.note_given_up()
        # Sometimes a little before midnight, so that the day turns in the middle.
        wait = (next_day_at(at) - at).total_seconds() - self.dice.uniform(-20, 40)
        self.clock = self.clock.ahead(max(0.0, wait))

    def note_given_up(self) -> None:
        """记下今天预留了而没有用的次数。"""
        today = self.clock.moment().date()
        ledger = self.provider.ledger
        counted = sum(token.account.used_on(today) for token in ApiToken.objects.all())
        made = sum(usage.per_day.get(today, 0) for usage in ledger.values())
        self.given_up += counted - made

    def said(self, text: str) -> bool:
        """有没有哪个进程的日志里说过这句话。"""
        logs = self.folder.glob("*.log")
        return any(text in log.read_text(errors="replace") for log in logs)

    def wait_for(self, seconds: float) -> None:
        """真的等这么多秒(舞台上的时间)。"""
        time.sleep(seconds / self.clock.speed)


@contextmanager
def stage(
    place: Ground,
    *,
    name: str,
    seed: str,
    plants: tuple[str, ...] = (),
    stocks: int = 300,
    unknown: int = 6,
    tokens: int = 30,
    spare: int = 0,
    minute_limit: int = 12,
    daily_limit: int = 60,
    speed: float = SPEED,
    patience: float = PATIENCE,
    **options: Any,
) -> Iterator[Stage]:
    """搭好舞台;离开时杀掉还在跑的进程。"""
    ground.empty()
    folder = place.folder / name
    folder.mkdir()
    clock = Clock.starting(world.SATURDAY, speed=speed)
    accounts = demo_accounts(
        tokens + spare, minute_limit=minute_limit, daily_limit=daily_limit
    )
    built: list[Stage] = []
    provider = Provider(
        accounts,
        clock=lambda: built[0].clock if built else clock,
        stocks=stocks,
        **options,
    )
    with provider:
        world.hold_tokens(provider, accounts[:tokens])
        world.hold_stocks(provider, "HK")
        strangers = {f"99{number:03d}" for number in range(unknown)}
        world.hold_unknown("HK", *strangers)
        built.append(
            Stage(
                provider=provider,
                clock=clock,
                dice=Random(seed),
                place=place,
                folder=folder,
                minute_limit=minute_limit,
                daily_limit=daily_limit,
                unknown=strangers,
                spare=accounts[tokens:],
                plants=plants,
                patience=patience,
            )
        )
        executor.keep(clock)
        try:
            yield built[0]
        finally:
            _end(built[0].running)
            connection.close()


def _end(processes: list[ForkServerProcess]) -> None:
    for process in processes:
        process.kill()
        process.join()
