"""任务集群的边界:只做 `sync.tasks` 里的事,表里的 pickle 只读得出普通的值。

django-q2 itself runs whatever function a row of its schedules names, and loads the
arguments and results of its tasks as pickles, which may run anything, too. So whoever
writes the database would run code as the cluster and as the web server. The queue is no
such way in: its packages are signed with the secret key.
"""

from __future__ import annotations

import io
import logging
import pickle
from base64 import b64decode
from functools import cache
from typing import Any, NoReturn

from django.db.models.signals import post_save
from django_q.models import Task
from django_q.signals import call_hook, pre_enqueue
from picklefield.fields import PickledObjectField

logger = logging.getLogger(__name__)

ROOM = "sync.tasks"
REFUSE = f"{ROOM}.refuse"
# What a refused task keeps; its other options might call something.
KEPT = {"id", "name", "started", "group", "cluster", "ack_failure"}


def guard() -> None:
    """守住两处:进队列的任务,和任务表里的 pickle。"""
    pre_enqueue.connect(_check)
    # A hook is one more function that a row may name; we have none.
    post_save.disconnect(call_hook, sender=Task)
    for field in Task._meta.local_fields:  # noqa: SLF001  # its documented API
        if type(field) is PickledObjectField:
            field.__class__ = PlainField


class PlainField(PickledObjectField):  # type: ignore[misc]
    """读的时候不造任何对象的 pickle:读不了的,就是存着的文字。"""

    def to_python(self, value: Any) -> Any:
        """读出数、文字和装着它们的容器。"""
        if not isinstance(value, str):
            return value
        try:
            return PlainUnpickler(io.BytesIO(b64decode(value))).load()
        except Exception:  # noqa: BLE001  # whatever a bad pickle may raise
            return value

    def deconstruct(self) -> Any:
        """对迁移来说什么也没变。"""
        name, _path, args, options = super().deconstruct()
        return name, "picklefield.fields.PickledObjectField", args, options


class PlainUnpickler(pickle.Unpickler):
    """不认识任何类,也不认识任何函数。"""

    def find_class(self, module: str, name: str) -> NoReturn:
        """拒绝。"""
        raise pickle.UnpicklingError(f"{module}.{name} is not loaded")


def _check(task: dict[str, Any], **_: Any) -> None:
    """Exchange a task that is none of ours for one that says so.

    Nothing is raised: that would undo the whole round of the scheduler, and no schedule
    would ever fire again.
    """
    task.pop("hook", None)
    task.pop("chain", None)
    func = task["func"]
    if func in _ours():
        return
    logger.error(
        "%s is no job of stocksync and is not run", func, extra={"event": "job.refused"}
    )
    for option in task.keys() - KEPT:
        del task[option]
    task.update(func=REFUSE, args=(str(func),), kwargs={})


@cache
def _ours() -> frozenset[str]:
    from sync import tasks  # noqa: PLC0415  # needs all apps to be ready

    return frozenset(
        f"{ROOM}.{name}"
        for name, each in vars(tasks).items()
        if getattr(each, "__module__", "") == ROOM and not name.startswith("_")
    )
