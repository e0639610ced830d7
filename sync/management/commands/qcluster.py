"""manage.py qcluster,停得下来的。"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.db import connection
from django_q.management.commands import qcluster

from common import versions
from sync.management.draining import DrainingCluster


class Command(qcluster.Command):  # type: ignore[misc]
    """启动任务集群;收到信号时分片放回队列,几秒内结束。"""

    help = "Start a cluster that executes runs and serves the schedules."

    def handle(self, *args: Any, **options: Any) -> None:
        """执行命令。"""
        # A database that is away is told here, in one sentence; django-q2's processes
        # would each show a traceback. They must not inherit the connection.
        connection.ensure_connection()
        if words := versions.mismatch():
            raise CommandError(words)
        connection.close()
        # django-q2's own command makes the cluster by this name.
        qcluster.Cluster = DrainingCluster
        super().handle(*args, **options)
