"""人写在失败记录上的话。"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import models
from django.utils.translation import gettext_lazy as _

from .failures import SyncFailure

TEXT_LENGTH = 500


class FailureNoteQuerySet(models.QuerySet["FailureNote"]):
    """备注的查询。"""

    def newest(self, failures: Iterable[int]) -> dict[int, FailureNote]:
        """每条记录最新的一句。"""
        rows = self.filter(failure__in=list(failures)).order_by("pk")
        return {row.failure_id: row for row in rows}


class FailureNote(models.Model):
    """一条失败记录上的一句备注:谁,什么时候,写了什么。

    Beside the failures and not in their table, whose columns other programs know.
    """

    failure = models.ForeignKey(
        SyncFailure, models.CASCADE, related_name="notes", db_constraint=False
    )
    text = models.CharField(_("note"), max_length=TEXT_LENGTH)
    by = models.CharField(_("by"), max_length=150)
    at = models.DateTimeField(_("when"))

    objects = FailureNoteQuerySet.as_manager()

    class Meta:
        db_table = "stk_failure_note"
        verbose_name = _("note")
        verbose_name_plural = _("notes")
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.failure_id} {self.by}"
