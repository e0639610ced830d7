"""django-q2 自己的页面:只给超级用户。

A schedule's row names any function that Python can import, so whoever may write one has
a shell; and its action "resubmit" asks for no permission at all.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django_q.admin import FailAdmin, QueueAdmin, ScheduleAdmin, TaskAdmin
from django_q.models import Failure, OrmQ, Schedule, Success

from common.admin.strict import StrictAdmin


class SuperusersOnly:
    """所有权限都归超级用户。"""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """首页上有没有。"""
        return _is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """能不能看。"""
        return _is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """能不能改。"""
        return _is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """能不能删。"""
        return _is_superuser(request)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """别人什么动作也没有。"""
        actions: dict[str, Any] = super().get_actions(request)  # type: ignore[misc]
        return actions if _is_superuser(request) else {}


class JobAdmin(SuperusersOnly, StrictAdmin, TaskAdmin):  # type: ignore[misc]
    """成功的任务。"""


class FailedJobAdmin(SuperusersOnly, StrictAdmin, FailAdmin):  # type: ignore[misc]
    """失败的任务。"""


class QueuedJobAdmin(SuperusersOnly, StrictAdmin, QueueAdmin):  # type: ignore[misc]
    """排队的任务。"""


class JobScheduleAdmin(SuperusersOnly, StrictAdmin, ScheduleAdmin):  # type: ignore[misc]
    """定时的任务。"""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """能不能添加。"""
        return _is_superuser(request)


def _is_superuser(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.is_superuser


PAGES: dict[type[Model], Any] = {
    Success: JobAdmin,
    Failure: FailedJobAdmin,
    OrmQ: QueuedJobAdmin,
    Schedule: JobScheduleAdmin,
}

for model, page in PAGES.items():
    # Its queue page is missing where Redis is the broker.
    if admin.site.is_registered(model):
        admin.site.unregister(model)
        admin.site.register(model, page)
