"""账户:密钥、限额、流水。"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from enum import Enum
from threading import Lock
from typing import Any

from .quirks import BadKey

WINDOW = 60.0


@dataclass(frozen=True, slots=True)
class Account:
    """一个账户和它的套餐。

    A limit of 0 means none; `markets` None means all. `batch_size` is the greatest
    number of codes in one call. `depth` says for a period how far back the plan sees:
    so many of the latest bars, or since a date; a period it does not name, all the way.
    A key that is not `valid` is refused as `refusal` says, or as the quirks do.
    """

    key: str = field(repr=False)
    minute_limit: int = 0
    daily_limit: int = 0
    markets: frozenset[str] | None = None
    batch_size: int = 1
    depth: Mapping[str, int | date] = field(default_factory=dict, hash=False)
    valid: bool = True
    refusal: BadKey | None = None


def demo_accounts(
    count: int, *, minute_limit: int = 0, daily_limit: int = 0, batch_size: int = 1
) -> list[Account]:
    """一批演示用的账户:simulated-token-01、-02……"""
    return [
        Account(
            key=f"simulated-token-{number:02d}",
            minute_limit=minute_limit,
            daily_limit=daily_limit,
            batch_size=batch_size,
        )
        for number in range(1, count + 1)
    ]


@dataclass(slots=True)
class Usage:
    """一个密钥的流水。

    `calls` are the times of the accepted calls, on the ledger's clock in seconds;
    `refused` counts those over a limit and `rejected` those after revocation.
    `busiest_minute` is the greatest number of calls, accepted or refused, in any 60 s,
    and `most_at_once` of calls under way together. `per_day` counts accepted calls.
    """

    calls: list[float] = field(default_factory=list)
    refused: int = 0
    rejected: int = 0
    busiest_minute: int = 0
    most_at_once: int = 0
    per_day: dict[date, int] = field(default_factory=dict)


class Verdict(Enum):
    """一次调用能不能放行。"""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # over a limit
    REJECTED = "rejected"  # no such key, or no longer


@dataclass(frozen=True, slots=True)
class Admission:
    """放行的结果。

    `account` is None for a key nobody knows. `retry_after` is in seconds.
    """

    verdict: Verdict
    account: Account | None = None
    retry_after: float = 0.0


class _Gate:
    """One account's state; its owner holds the lock."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.usage = Usage()
        self.under_way = 0
        self._accepted: deque[float] = deque()
        self._tried: deque[float] = deque()

    def admit(self, *, at: float, day: date) -> Admission:
        """这个密钥现在能不能再请求一次,并记上一笔。

        Refused and rejected calls are counted too. The caller holds the lock.
        """
        usage, account = self.usage, self.account
        if not account.valid:
            usage.rejected += 1
            return Admission(Verdict.REJECTED, account)
        self._note_try(at)
        retry_after = self._retry_after(at=at, day=day)
        if retry_after:
            usage.refused += 1
            return Admission(Verdict.REFUSED, account, retry_after)
        self._accepted.append(at)
        usage.calls.append(at)
        usage.per_day[day] = usage.per_day.get(day, 0) + 1
        return Admission(Verdict.ACCEPTED, account)

    def _note_try(self, at: float) -> None:
        self._tried.append(at)
        _forget(self._tried, at)
        self.usage.busiest_minute = max(self.usage.busiest_minute, len(self._tried))

    def _retry_after(self, *, at: float, day: date) -> float:
        """Seconds until the next call may come; 0 when it may come now."""
        _forget(self._accepted, at)
        account = self.account
        if (
            account.daily_limit
            and self.usage.per_day.get(day, 0) >= account.daily_limit
        ):
            return WINDOW
        if not account.minute_limit or len(self._accepted) < account.minute_limit:
            return 0.0
        return self._accepted[0] + WINDOW - at


def _forget(times: deque[float], at: float) -> None:
    while times and times[0] <= at - WINDOW:
        times.popleft()


class Accounts:
    """全部账户。

    Safe for any number of threads. `clock` counts seconds and never goes back; `today`
    is the day on which calls are counted.
    """

    def __init__(
        self,
        accounts: Iterable[Account],
        *,
        today: Callable[[], date],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gates = {account.key: _Gate(account) for account in accounts}
        self._today = today
        self._clock = clock
        self._lock = Lock()

    @contextmanager
    def call(self, key: str) -> Iterator[Admission]:
        """记下一次调用;`with` 的时间就是调用进行的时间。"""
        gate = self._gates.get(key)
        if gate is None:
            yield Admission(Verdict.REJECTED)
            return
        with self._lock:
            gate.under_way += 1
            gate.usage.most_at_once = max(gate.usage.most_at_once, gate.under_way)
            admission = gate.admit(at=self._clock(), day=self._today())
        try:
            yield admission
        finally:
            with self._lock:
                gate.under_way -= 1

    def revoke(self, key: str, *, refusal: BadKey | None = None) -> bool:
        """作废一个密钥;没有这个密钥返回 False。"""
        return self.change(key, valid=False, refusal=refusal)

    def change(self, key: str, **terms: Any) -> bool:
        """换掉一个密钥的套餐里说到的条款;没有这个密钥返回 False。

        What it has called so far stays counted. Raises TypeError for a term that no
        account has.
        """
        gate = self._gates.get(key)
        if gate is None:
            return False
        with self._lock:
            gate.account = replace(gate.account, **terms)
        return True

    def ledger(self) -> dict[str, Usage]:
        """此刻的流水,按密钥;是一份拷贝。"""
        with self._lock:
            return {key: _copy(gate.usage) for key, gate in self._gates.items()}


def _copy(usage: Usage) -> Usage:
    return Usage(
        calls=list(usage.calls),
        refused=usage.refused,
        rejected=usage.rejected,
        busiest_minute=usage.busiest_minute,
        most_at_once=usage.most_at_once,
        per_day=dict(usage.per_day),
    )
