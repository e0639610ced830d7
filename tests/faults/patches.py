"""在执行命令的进程里动的手脚:时钟、有名字的地方、埋下的错误。"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from urllib3.connection import HTTPConnection

from sync.engine.ports import Saved
from sync.models.calendar import MarketDayQuerySet
from sync.models.failures import SyncFailureQuerySet
from sync.models.runs import SyncRunQuerySet
from sync.models.shards import LEASE, ShardState, SyncShardQuerySet
from sync.models.splits import SplitQuerySet
from sync.models.verification import VerificationQuerySet
from sync.providers.itick import ItickClient
from sync.services import clock as shared
from sync.services.clock import SharedClock
from sync.services.quality import audit
from sync.services.splits import sync as splits
from sync.services.stocks import gone
from sync.storage import klines, restating, verifying
from sync.storage.failures import BatchFailures
from sync.storage.klines import DatabaseStore
from sync.storage.retrying import DatabaseRetry
from tokens import accounts
from tokens.querysets import ApiTokenQuerySet

from .clock import Clock
from .executor import Fault

# Where a fault can strike: right after the function has returned, but for those of
# BEFORE, where it is right before it is called.
POINTS: dict[str, tuple[Any, str]] = {
    "to-claim": (SyncShardQuerySet, "claim"),
    "claim": (SyncShardQuerySet, "claim"),
    "lease": (ApiTokenQuerySet, "lease_idle"),
    "reserve": (ApiTokenQuerySet, "reserve"),
    "request": (HTTPConnection, "request"),
    "answer": (ItickClient, "fetch_many"),
    "save": (DatabaseStore, "save"),
    "rows": (klines, "write_klines"),
    "before-commit": (BatchFailures, "saved"),
    "after-commit": (DatabaseStore, "save"),
    "heartbeat": (ApiTokenQuerySet, "renew"),
    "failure": (SyncFailureQuerySet, "bulk_create"),
    "record": (DatabaseStore, "record"),
    "recorded": (DatabaseStore, "record"),
    "release": (ApiTokenQuerySet, "release"),
    "end": (SyncRunQuerySet, "end"),
    "restated-noted": (DatabaseStore, "take_contradicted"),
    "restated-staged": (restating, "_doubt"),
    "restated-swap": (restating, "_put_in_place"),
    "restated-swapped": (restating, "_put_in_place"),
    "audit-filed": (audit, "file_holes"),
    "audit-days": (MarketDayQuerySet, "bulk_update"),
    "audit-written": (MarketDayQuerySet, "bulk_create"),
    "verified-asked": (ItickClient, "fetch"),
    "verified-compared": (verifying, "compared"),
    "verified-mended": (verifying, "write_klines"),
    "verified-counted": (VerificationQuerySet, "add"),
    "splits-page": (ItickClient, "splits"),
    "splits-rows": (splits, "_ask_to_compare"),
    "splits-compared": (splits, "_ask_to_compare"),
    "splits-judged": (splits, "judge_splits"),
    "silence-counted": (gone, "_count"),
    "silence-judged": (gone, "_is_gone"),
    "silence-let-go": (gone, "_let_go"),
}
BEFORE = {"to-claim", "save", "rows", "record", "release"}
BEFORE |= {"restated-noted", "restated-swap", "splits-rows", "splits-judged"}


def keep_time(clock: Callable[[], Clock]) -> None:
    """程序照这个时钟走;数据库的时间总是对的。"""
    _replace(SharedClock, "now", lambda _: clock().now())
    _replace(shared, "database_time", lambda: clock().right().epoch())
    _replace(SharedClock, "wait", lambda _, *arguments: clock().wait(*arguments))


def connect(*, port: int, speed: float) -> None:
    """从另一个端口去数据库;会话空闲多久就被断开,也照时钟的快慢。"""
    settings = connection.settings_dict
    if port:
        settings["PORT"] = port
    options = settings["OPTIONS"]
    options["init_command"] = re.sub(
        r"\bwait_timeout=([0-9]+)",
        lambda found: f"wait_timeout={max(1, round(int(found[1]) / speed))}",
        options["init_command"],
    )


def call_machine(name: str) -> None:
    """这台机器叫什么。"""
    socket.gethostname = lambda: name


def arm(fault: Fault, *, jump: Callable[[float], None]) -> None:
    """排好一个故障。"""
    numbers = count(1)

    def pass_by() -> None:
        if next(numbers) != fault.number:
            return
        if fault.signal:
            os.kill(os.getpid(), fault.signal)
        else:
            jump(fault.jump)

    owner, name = POINTS[fault.point]
    original = getattr(owner, name)

    def before(*args: Any, **kwargs: Any) -> Any:
        pass_by()
        return original(*args, **kwargs)

    def after(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        pass_by()
        return result

    _replace(owner, name, before if fault.point in BEFORE else after)


def _replace(owner: Any, name: str, work: Callable[..., Any]) -> None:
    # What is not there any more must not be patched in silence.
    assert hasattr(owner, name), f"{owner} has no {name}"
    setattr(owner, name, work)


def plant(name: str) -> None:
    """埋下一个错误:去掉一道防护。"""
    PLANTS[name]()


def _status_first() -> None:
    def write(self: Any, parts: Any) -> Saved:
        with transaction.atomic():
            self._check_fence()
            changes = klines.write_coverage(parts)
            self._books.saved(parts, changes, at=self._now())
        with transaction.atomic():
            klines.write_klines(parts)
        return Saved(parts, [])

    _replace(DatabaseStore, "_write", write)


def _no_fence() -> None:
    _replace(DatabaseStore, "_check_fence", lambda _: None)


def _no_claim() -> None:
    def claim(self: Any, shard: Any, *, process: str, at: datetime) -> int:
        self.filter(pk=shard.pk).update(
            state=ShardState.RUNNING,
            fence=F("fence") + 1,
            attempts=F("attempts") + 1,
            process=process,
            heartbeat_at=at,
            leased_until=at + LEASE,
        )
        return int(shard.fence) + 1

    _replace(SyncShardQuerySet, "claim", claim)


def _no_limit() -> None:
    _replace(accounts.Account, "left_on", lambda _, _day: None)


def _nothing_carried() -> None:
    _replace(accounts, "taken_over", lambda _, **_options: {})


def _impatient() -> None:
    def give_up(_: Any, error: Exception) -> None:
        raise error

    _replace(DatabaseRetry, "_outlast", give_up)


def _own_clock() -> None:
    _replace(shared, "database_time", lambda: timezone.now().timestamp())


def _commit_after(owner: Any, name: str) -> None:
    original = getattr(owner, name)

    def committed(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        with connection.cursor() as cursor:
            cursor.execute("COMMIT")
        return result

    _replace(owner, name, committed)


PLANTS: dict[str, Callable[[], None]] = {
    "status-first": _status_first,
    "no-fence": _no_fence,
    "no-claim": _no_claim,
    "no-limit": _no_limit,
    "nothing-carried": _nothing_carried,
    "own-clock": _own_clock,
    "impatient": _impatient,
    "swap-in-two": lambda: _commit_after(restating, "_take_away"),
    "days-in-two": lambda: _commit_after(MarketDayQuerySet, "bulk_update"),
    "mended-first": lambda: _commit_after(verifying, "write_klines"),
    "splits-first": lambda: _commit_after(SplitQuerySet, "bulk_create"),
    "counted-first": lambda: _commit_after(gone, "_count"),
}
