"""django-q2 只当门铃:任务里只有运行的编号,别的什么也不带。"""

from __future__ import annotations

from django_q.tasks import async_task


def ring(run_id: int) -> None:
    """请一个工作进程来执行这次运行。"""
    async_task("sync.tasks.execute_run", run_id, task_name=f"run {run_id}")
