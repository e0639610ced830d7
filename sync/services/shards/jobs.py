"""django-q2 的任务只叫一个工作进程来:任务里只有分片的编号,别的什么也不带。"""

from __future__ import annotations

from django.db import transaction
from django_q.tasks import async_task

from sync.models import SyncShard


def enqueue(shard: SyncShard) -> None:
    """发出一个任务,叫一个工作进程来执行这个分片。"""
    async_task("sync.tasks.execute_shard", shard.pk, task_name=str(shard))


def enqueue_after_commit(shard: SyncShard) -> None:
    """在事务提交以后发出这个分片的任务;发不出去时由 `revive` 再发。"""
    # Not a partial: Django names the function in its log, and a partial has no name.
    transaction.on_commit(lambda: enqueue(shard), robust=True)
