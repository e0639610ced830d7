"""一个分片执行时给人看的记录:每条通道在做什么,隔几秒的数字,发生过的事。

Written within the heartbeat. A run never depends on it: what cannot be written is left
out, and said in the log once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.utils import Error

from common.messages import Message
from sync.engine.runner import Runner
from sync.engine.snapshot import Snapshot, TokenSnapshot, TokenState
from sync.models import RunEvent, RunSample, ShardState, SyncShard
from sync.models.samples import slot_seconds

from ..processes import shown_process, this_process

logger = logging.getLogger(__name__)

LOOK_EVERY = timedelta(seconds=2)
SAMPLED = ("klines", "calls", "succeeded", "failed", "skipped")
# A process tells of so many events at most: nobody reads more.
MOST_EVENTS = 200


class RunRecord:
    """一个分片这次被抢占以后的记录;只由协调者的线程使用。"""

    def __init__(self, shard: SyncShard, *, now: Callable[[], datetime]) -> None:
        self._shard = shard
        self._now = now
        self._snapshot = Snapshot(at=0.0)
        self._began = shard.run.started_at
        self._looked_at: datetime | None = None
        self._sample_at: datetime | None = None
        self._told: set[tuple[int, TokenState, str]] = set()
        self._noted = 0
        self._events: list[RunEvent] = []
        self._well = True
        process = shown_process(this_process())
        self.note(Message("Taken up by %(process)s.", process=process))

    def note(self, text: Message, *, bad: bool = False) -> None:
        """记下一件事,下一次心跳时写进数据库。"""
        self._noted += 1
        if self._noted <= MOST_EVENTS:
            event = RunEvent(
                run_id=self._shard.run_id, at=self._now(), text=text, bad=bad
            )
            self._events.append(event)

    def begins(self, market: str, tokens_per_lane: Sequence[int]) -> None:
        """记下一个市场开始了,有几条通道、几个 Token。"""
        self.note(
            Message(
                "%(market)s begins: lanes %(lanes)d, tokens %(tokens)d.",
                market=market,
                lanes=len(tokens_per_lane),
                tokens=sum(tokens_per_lane),
            )
        )

    def work(self, runner: Runner | None, *, at: datetime) -> dict[str, Any]:
        """返回心跳时一起写进分片的行的列;刚写过的不再写。"""
        if self._looked_at and at < self._looked_at + LOOK_EVERY:
            return {}
        self._looked_at = at
        self._snapshot = _taken(runner, at=at)
        for token in self._snapshot.tokens:
            self._tell(token)
        return {"work": asdict(self._snapshot) | {"allowed": self._snapshot.allowed}}

    def _tell(self, token: TokenSnapshot) -> None:
        """Token 被拒绝、要休息、用完了:同样的话只说一次。"""
        key = token.id, token.state, token.why
        text = _about(token)
        if text and key not in self._told:
            self._told.add(key)
            self.note(text, bad=token.state == TokenState.REFUSED)

    def keep(self, numbers: Mapping[str, Any], *, alone: bool, at: datetime) -> None:
        """写下发生的事;到了时候,也写下运行此刻的数字。"""
        self.flush()
        if self._sample_at and at < self._sample_at:
            return
        self._began = self._began or at
        slot = slot_seconds((at - self._began).total_seconds())
        self._sample_at = at + timedelta(seconds=slot)
        self._write(lambda: self._sample(numbers, alone=alone, at=at))

    def flush(self) -> None:
        """写下发生的事。"""
        if self._events:
            events, self._events = self._events, []
            self._write(lambda: RunEvent.objects.bulk_create(events))

    def _sample(self, numbers: Mapping[str, Any], *, alone: bool, at: datetime) -> None:
        lanes, allowed = len(self._snapshot.lanes), self._snapshot.allowed
        if not alone:
            # Of several shards at work the first one samples for all.
            at_work = SyncShard.objects.filter(
                run=self._shard.run_id, state=ShardState.RUNNING
            )
            rows = list(at_work.order_by("number").values_list("number", "work"))
            if not rows or rows[0][0] != self._shard.number:
                return
            lanes, allowed = summed([work for _number, work in rows])
        counted = {name: numbers[name] for name in SAMPLED}
        RunSample.objects.create(
            run_id=self._shard.run_id, at=at, lanes=lanes, allowed=allowed, **counted
        )

    def _write(self, write: Callable[[], object]) -> None:
        try:
            with transaction.atomic():
                write()
        except Error as error:
            if self._well:
                logger.warning("What people see of a run was not written: %s", error)
            self._well = False


def summed(works: Sequence[Any]) -> tuple[int, int | None]:
    """把几个分片的通道数、每分钟允许的请求数加起来;有一个不限就是 None。"""
    lanes = sum(len(work.get("lanes", ())) for work in works)
    allowed = [work.get("allowed", 0) for work in works]
    return lanes, None if None in allowed else sum(allowed)


def _taken(runner: Runner | None, *, at: datetime) -> Snapshot:
    try:
        return runner.snapshot() if runner else Snapshot(at=at.timestamp())
    except Exception:  # an observer must not change what it observes
        logger.exception("What the lanes do could not be seen")
        return Snapshot(at=at.timestamp())


def _about(token: TokenSnapshot) -> Message:
    if token.state == TokenState.REFUSED:
        return Message(
            "Token %(token)s is out: %(why)s", token=token.label, why=token.why
        )
    if token.state == TokenState.EMPTY:
        return Message(
            "Token %(token)s has made its calls of today.", token=token.label
        )
    if token.state == TokenState.RESTING and token.why:
        return Message(
            "Token %(token)s rests after a refusal: %(why)s",
            token=token.label,
            why=token.why,
        )
    return Message()
