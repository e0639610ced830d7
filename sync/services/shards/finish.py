"""一个分片怎样结束:做完、停下、等 Token、放回队列,写下它和运行的状态。"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from django.db.models import F
from django.db.utils import DatabaseError

from common.messages import Message
from sync.models import RunState, ShardState, SyncShard
from sync.storage.retrying import DatabaseRetry, Unavailable

from .jobs import enqueue_after_commit
from .leasing import Parked
from .states import WORST, set_shard_state

logger = logging.getLogger(__name__)

# What a shard that is put back has not used up; and it belongs to no process.
PUT_BACK: dict[str, Any] = {
    "attempts": F("attempts") - 1,
    "process": "",
    "waits": "",
}


class Finish:
    """写下归一个 fence 所有的分片的结局;`numbers` 给出到此刻的数字。"""

    def __init__(
        self,
        shard: SyncShard,
        *,
        fence: int,
        retrying: DatabaseRetry,
        now: Callable[[], datetime],
        numbers: Callable[[], dict[str, Any]],
    ) -> None:
        self._shard = shard
        self._fence = fence
        self._retrying = retrying
        self._now = now
        self._numbers = numbers

    def write(self, state: ShardState, *, error: str = "", **columns: Any) -> None:
        """写下分片的状态和由此得出的运行的状态;写不下去时只写日志,由 `reap` 收拾。"""
        shard, run = self._shard, self._shard.run
        columns |= {"numbers": self._numbers(), "error": error}
        settle = partial(
            set_shard_state, shard, fence=self._fence, state=state, **columns
        )
        try:
            self._retrying(lambda: settle(at=self._now()))
            self._retrying(run.refresh_from_db)
        except DatabaseError as fault:
            text = "The end of %s could not be written: %s"
            unforeseen = not isinstance(fault, Unavailable)
            logger.warning(text, shard, fault, exc_info=unforeseen)
            # For who looks at it now. The row still says that it runs, until somebody
            # finds it silent: what was stored is there, that it is all is not known.
            run.state = WORST.get(state, RunState.INTERRUPTED)
            run.error = error or str(fault)

    def interrupted(self, *, why: Message | None = None) -> ShardState:
        """这个进程被要求停下:后台的放回队列,由别的进程接着做,不算一次尝试。

        `why` is what it waits for then, if known.
        """
        if not self._shard.run.background:
            self.write(ShardState.INTERRUPTED)
            return ShardState.INTERRUPTED
        self.write(ShardState.QUEUED, **PUT_BACK | {"waits": why or ""})
        self._enqueue()
        return ShardState.QUEUED

    def parked(self, parked: Parked) -> ShardState:
        """让分片停下来等 Token,不占着进程,不算一次尝试。"""
        logger.warning(
            "%s waits until %s: %s",
            *(self._shard, f"{parked.until:%Y-%m-%d %H:%M} UTC", parked),
            extra={"event": "run.waiting", "run": self._shard.run_id},
        )
        waits = {"resume_at": parked.until, "waits_for": ",".join(parked.markets)}
        self.write(ShardState.WAITING, error=parked.why, **waits, **PUT_BACK)
        return ShardState.WAITING

    def left(self) -> ShardState:
        """把分片放回队列,由同一次运行里手里有 Token 的分片做完了来接。"""
        self.write(ShardState.QUEUED, **PUT_BACK)
        # Order matters. A sibling writes its end, then looks for queued shards; we have
        # written QUEUED and now look for running siblings. Whoever is second sees the
        # first, so the shard is never left without both.
        siblings = self._shard.run.shards.filter(state=ShardState.RUNNING)
        if not self._retrying(siblings.exists):
            self._enqueue()
        return ShardState.QUEUED

    def _enqueue(self) -> None:
        # A broker that is away is no harm: the reviver rings again.
        enqueue_after_commit(self._shard)
