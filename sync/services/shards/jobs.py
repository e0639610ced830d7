"""django-q2 只当门铃:任务里只有分片的编号,别的什么也不带。"""

from __future__ import annotations

from django.db import transaction
from django_q.tasks import async_task

from sync.models import SyncShard


def enqueue(shard: SyncShard) -> None:
    """请一个工作进程来执行这个分片。"""
    async_task("sync.tasks.execute_shard", shard.pk, task_name=str(shard))


def enqueue_after_commit(shard: SyncShard) -> None:
    """事务提交以后按门铃;按不响也没关系,收拾的人会再按。"""
    # Not a partial: Django names the function in its log, and a partial has no name.
    transaction.on_commit(lambda: enqueue(shard), robust=True)
