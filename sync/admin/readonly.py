"""只能看的管理页面,和谁能看、谁能动手。"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from common.admin.strict import StrictAdmin

from ..models.permissions import Permission


def may_list(request: HttpRequest) -> bool:
    """判断能不能看同步的页面。"""
    return request.user.has_perm(Permission.LIST)


class ReadOnlyAdmin(StrictAdmin):
    """同步的页面:只看 stock:sync:list;谁也不能在表单里添加、修改、删除。

    Django's own view, add, change and delete permissions have no say here.
    """

    def has_module_permission(self, request: HttpRequest) -> bool:
        """有 stock:sync:list 的人在首页上看得到。"""
        return request.user.has_perm(Permission.LIST)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """有 stock:sync:list 的人可以看。"""
        return request.user.has_perm(Permission.LIST)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """能不能补拉、放弃、重新打开。"""
        return request.user.has_perm(Permission.RETRY)

    def has_run_permission(self, request: HttpRequest) -> bool:
        """能不能开始和取消运行。"""
        return request.user.has_perm(Permission.RUN)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """谁也不能在表单里添加一行。"""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """谁也不能在表单里修改一行。"""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """谁也不能删除一行。"""
        return False
