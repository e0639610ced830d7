"""轮流用工作进程:别的运行一个进程也没有,做了一会儿的分片就把自己的让给它。

A shard at work looks every two seconds. A run waits for a worker where none of its
shards is at work and one has lain in the queue for a few seconds. Who finds it promises
it a worker (compare-and-swap, so that of four shards one leaves), goes back to the
queue, and its process goes on with the one that waited: in the queue it might stand
behind many others, or its job might be lost. A promise that was not kept, after kill -9
say, is over within seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q
from django_q.models import Schedule, Task

from common.messages import Message
from sync.models import ShardState, SyncShard
from sync.models.runs import ACTIVE
from sync.models.shards import SyncShardQuerySet
from tokens.fairness import FEW_CALLS, TURN

# A worker that is free takes a job within a second.
UNTAKEN = timedelta(seconds=3)
# For one who is about to be done, and for a run that has other workers as well.
SHORT_TURN = timedelta(seconds=5)
LOOK_EVERY = timedelta(seconds=2)
# Longer than anybody needs to finish what is in hand.
PROMISE = timedelta(seconds=15)
# Who has been silent for longer may be dead, and is not relied upon to leave.
ALIVE = timedelta(seconds=10)
EVERY_MINUTE = "sync.tasks.revive_runs"


def waiting_for_a_worker(*, besides: int, at: datetime) -> SyncShardQuerySet:
    """别的运行里等着工作进程的分片:它们的运行一个也没有;等得久的在前。

    Those of a run that has been promised one are left out.
    """
    of_the_run = SyncShard.objects.filter(run=OuterRef("run"))
    served = Q(state=ShardState.RUNNING) | Q(state=ShardState.QUEUED, resume_at__gt=at)
    waiting = SyncShard.objects.filter(
        ~Exists(of_the_run.filter(served)),
        state=ShardState.QUEUED,
        process="",
        heartbeat_at__lte=at - UNTAKEN,
        run__state__in=ACTIVE,
        run__background=True,
        run__cancel_requested_at=None,
    )
    others = waiting.exclude(run=besides).select_related("run")
    return others.order_by("heartbeat_at", "pk")


class WorkerTurn:
    """一个分片占用工作进程的这一轮;由它的心跳来问轮到别人没有。

    Once it is `over` it stays so. `waiter` is the shard that the process goes on with;
    None where jobs that are no shards wait.
    """

    def __init__(self, shard: SyncShard, *, now: Callable[[], datetime]) -> None:
        self._shard = shard
        self._now = now
        self._began: datetime | None = None
        self._look_at: datetime | None = None
        self._unheard: tuple[str, datetime] = ("", now())
        self.waiter: SyncShard | None = None
        self.over = False

    def look(self, *, fruitful: bool) -> bool:
        """轮到别人了返回 True,那时已经答应了它。

        `fruitful`: something has been stored in this turn, or nothing is in hand. Else
        the shard would be asked to begin again what it never gets to finish.
        """
        at = self._now()
        self._began = self._began or at
        if not self.over and (self._look_at is None or at >= self._look_at):
            self._look_at = at + LOOK_EVERY
            self.over = self._is_over(at - self._began, fruitful=fruitful, at=at)
        return self.over

    @property
    def why(self) -> Message:
        """这个分片为什么又排队;还没有让出的为空。"""
        if self.waiter:
            run = self.waiter.run_id
            return Message("Waits for a worker: run %(run)d has its turn.", run=run)
        if self.over:
            return Message("Waits for a worker: scheduled jobs have their turn.")
        return Message()

    def _is_over(self, worked: timedelta, *, fruitful: bool, at: datetime) -> bool:
        starving = self._schedules_starve(at=at)
        if worked < (SHORT_TURN if fruitful else TURN):
            return False
        waiting = waiting_for_a_worker(besides=self._shard.run_id, at=at)
        if worked < TURN and not self._has_siblings():
            waiting = waiting.filter(run__calls__lt=FEW_CALLS)
        self.waiter = _promised(waiting, at=at)
        return self.waiter is not None or (starving and self._is_first(at=at))

    def _has_siblings(self) -> bool:
        at_work = SyncShard.objects.filter(state=ShardState.RUNNING)
        siblings = at_work.filter(run=self._shard.run_id)
        return siblings.exclude(pk=self._shard.pk).exists()

    def _schedules_starve(self, *, at: datetime) -> bool:
        """每分钟的任务发出来了没有人做:那么所有的工作进程都被占着。

        Jobs that a cluster has fetched lie in its memory, where no broker tells of
        them, so a job that comes each minute and takes no time stands for all.
        """
        sent = Schedule.objects.filter(func=EVERY_MINUTE).values_list("task", flat=True)
        job = sent.first() or ""
        if not job or Task.objects.filter(pk=job).exists():
            self._unheard = ("", at)
        elif self._unheard[0] != job:
            self._unheard = (job, at)
        return bool(self._unheard[0]) and at - self._unheard[1] >= UNTAKEN

    def _is_first(self, *, at: datetime) -> bool:
        """在执行的后台分片里,这是不是排在最前的:一个让出就够了。"""
        at_work = SyncShard.objects.filter(
            state=ShardState.RUNNING,
            run__background=True,
            heartbeat_at__gte=at - ALIVE,
        )
        first = at_work.order_by("pk").values_list("pk", flat=True).first()
        return first == self._shard.pk


def _promised(waiting: SyncShardQuerySet, *, at: datetime) -> SyncShard | None:
    """答应其中一个运行一个工作进程,返回它的分片;都被别人先答应了返回 None。"""
    of_each_run: dict[int, SyncShard] = {}
    for shard in waiting:
        of_each_run.setdefault(shard.run_id, shard)
    for shard in of_each_run.values():
        if SyncShard.objects.promise(shard, at=at, until=at + PROMISE):
            return shard
    return None
