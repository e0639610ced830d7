"""定时任务最近一次做得怎样。"""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from common.fields import CodeField
from common.messages import Message, MessageField


class ScheduledJobQuerySet(models.QuerySet["ScheduledJob"]):
    """定时任务的查询。"""

    def begin(self, func: str, *, at: datetime) -> None:
        """记下一次开始了。"""
        fresh = {"started_at": at, "finished_at": None, "failed": False, "result": ""}
        self.update_or_create(func=func, defaults=fresh)

    def end(
        self,
        func: str,
        *,
        started_at: datetime,
        at: datetime,
        failed: bool,
        result: str,
    ) -> None:
        """记下那一次结束了;此后又开始了一次的,不管。"""
        begun = self.filter(func=func, started_at=started_at)
        begun.update(finished_at=at, failed=failed, result=result)


class ScheduledJob(models.Model):
    """一个定时任务最近的一次:什么时候开始和结束,结果如何。

    django-q2 keeps the results of few jobs, and as pickles. `finished_at` is None while
    it runs, and stays so where its process was killed.
    """

    func = CodeField(max_length=100, primary_key=True)
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True)
    failed = models.BooleanField(_("failed"), default=False)
    result = MessageField(_("result"), blank=True, default=Message)

    objects = ScheduledJobQuerySet.as_manager()

    class Meta:
        db_table = "stk_scheduled_job"
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")

    def __str__(self) -> str:
        return str(self.func)
