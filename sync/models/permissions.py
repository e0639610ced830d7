"""谁可以做什么:同步的权限代码。

The codenames hold colons, which a template's `perms.sync.…` cannot spell: views hand
their templates a plain yes or no. The groups that hold them are made by migration
sync 0002.
"""

from __future__ import annotations

from enum import StrEnum

from django.utils.translation import gettext_lazy as _


class Permission(StrEnum):
    """同步的权限;值可以直接交给 `user.has_perm`。"""

    LIST = "sync.stock:sync:list"
    RETRY = "sync.stock:sync:retry"
    RUN = "sync.stock:sync:run"

    @property
    def codename(self) -> str:
        """返回去掉应用名的权限代码。"""
        return self.value.removeprefix("sync.")


PERMISSIONS = (
    (Permission.LIST.codename, _("Can see runs, failures, stocks and K-lines")),
    (Permission.RETRY.codename, _("Can fetch failures again")),
    (Permission.RUN.codename, _("Can start and cancel runs")),
)
