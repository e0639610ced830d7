"""谁可以调用什么。"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from ..models import AccessKey
from ..models.permissions import Permission

if TYPE_CHECKING:  # the library's views load this module
    from rest_framework.views import APIView


class Nobody(BasePermission):
    """谁也不行:没有写明权限的接口。"""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """不行。"""
        return False


class HasPermission(BasePermission):
    """有某个同步权限的用户。"""

    read: ClassVar[Permission]
    write: ClassVar[Permission]

    def has_permission(self, request: Request, view: APIView) -> bool:
        """读和写的权限可以不同。"""
        needed = self.read if request.method in SAFE_METHODS else self.write
        return request.user.has_perm(needed)


class MayList(HasPermission):
    """有 stock:sync:list 的人可以调用。"""

    read = write = Permission.LIST


class MayRetry(HasPermission):
    """有 stock:sync:retry 的人可以调用。"""

    read = write = Permission.RETRY


class MayRun(HasPermission):
    """能开始和取消运行。"""

    read = write = Permission.RUN


class MayListOrRun(HasPermission):
    """看的能看,开始运行的能开始。"""

    read, write = Permission.LIST, Permission.RUN


class StaffOrKey(BasePermission):
    """登录的工作人员,或者任何有效的访问密钥。"""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """文档里没有数据。"""
        return isinstance(request.auth, AccessKey) or request.user.is_staff


class StaffOrListingKey(BasePermission):
    """登录的工作人员,或者能看的访问密钥。"""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """一把密钥只能做它的用户能做的。"""
        if isinstance(request.auth, AccessKey):
            return request.user.has_perm(Permission.LIST)
        return request.user.is_staff
