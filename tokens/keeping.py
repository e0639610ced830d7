"""保管 Token:启用、停用、删除、恢复;一行也不真的删掉。"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models

from .conditions import DISABLED, ENABLED

if TYPE_CHECKING:
    from .models import ApiToken  # noqa: F401 named in quotes below


class KeptQuerySet(models.QuerySet["ApiToken"]):
    """一个 UPDATE 改多行;返回真正改了几行。

    Only the columns that staff decide about: leases and counts belong to the runs.
    """

    def enable(self, *, at: datetime) -> int:
        """启用停用的;删除了的要先恢复。"""
        disabled = self.filter(status=DISABLED, deleted=False)
        return disabled.update(status=ENABLED, updated_at=at)

    def disable(self, *, at: datetime) -> int:
        """停用启用的;占用着的,它的运行在一次续租之内就不再用。"""
        enabled = self.filter(status=ENABLED, deleted=False)
        return enabled.update(status=DISABLED, updated_at=at)

    def remove(self, *, at: datetime) -> int:
        """标记为删除。"""
        return self.filter(deleted=False).update(deleted=True, updated_at=at)

    def restore(self, *, at: datetime) -> int:
        """取消删除;启用还是停用,和删除以前一样。"""
        return self.filter(deleted=True).update(deleted=False, updated_at=at)
