"""用户和组的页面:Django 自己的,放到我们的底上;还有谁被锁着。"""

from __future__ import annotations

import logging
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from common.activity import note
from common.admin.display import badge, moment
from common.admin.strict import StrictAdmin

from ..models import Verb

logger = logging.getLogger(__name__)


class UserPages(StrictAdmin, UserAdmin):  # type: ignore[type-arg]
    """用户。"""


class GroupPages(StrictAdmin, GroupAdmin):
    """组。"""


admin.site.unregister([User, Group])
admin.site.register(User, UserPages)
admin.site.register(Group, GroupPages)


@admin.register(AccessAttempt)
class WrongPasswords(StrictAdmin):
    """输错了密码的人:超级用户看得到,解得开。"""

    list_display = ("name", "place", "wrong", "first", "state")
    list_display_links = None
    sortable_by = ()
    actions = ("unlock",)

    @admin.display(description=gettext_lazy("name"))
    def name(self, attempt: AccessAttempt) -> str:
        """写出名字;没有这个人的是摘要。"""
        return str(attempt.username)

    @admin.display(description=gettext_lazy("from"))
    def place(self, attempt: AccessAttempt) -> str:
        """写出从哪里来。"""
        return str(attempt.ip_address or "–")

    @admin.display(description=gettext_lazy("wrong passwords"))
    def wrong(self, attempt: AccessAttempt) -> int:
        """写出错了几次。"""
        return int(attempt.failures_since_start)

    @admin.display(description=gettext_lazy("since"))
    def first(self, attempt: AccessAttempt) -> str:
        """写出从什么时候算起。"""
        return moment(attempt.attempt_time)

    @admin.display(description=gettext_lazy("state"))
    def state(self, attempt: AccessAttempt) -> str:
        """写出是不是锁着。"""
        locked = self.wrong(attempt) >= settings.AXES_FAILURE_LIMIT
        return badge("bad", _("locked")) if locked else "–"

    @admin.action(
        description=gettext_lazy("Unlock: may try again at once"),
        permissions=["delete"],
    )
    def unlock(self, request: HttpRequest, queryset: QuerySet[AccessAttempt]) -> None:
        """忘掉选中的人输错的密码。"""
        with transaction.atomic():
            names = sorted(set(queryset.values_list("username", flat=True)))
            queryset.delete()
            for name in names:
                note(Verb.UNLOCKED, name)
        logger.info(
            "%d names unlocked by %s",
            len(names),
            request.user.get_username(),
            extra={"event": "sign_in.unlocked"},
        )
        message = ngettext("%d name is unlocked.", "%d names are unlocked.", len(names))
        self.message_user(request, message % len(names), messages.SUCCESS)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """列表。"""
        context = {"title": _("Wrong passwords of the last 15 minutes")}
        return super().changelist_view(request, context | (extra_context or {}))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """只有解锁。"""
        actions = super().get_actions(request)
        return {name: each for name, each in actions.items() if name == "unlock"}

    def has_module_permission(self, request: HttpRequest) -> bool:
        """只有超级用户。"""
        return _is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """只有超级用户。"""
        return _is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """只有超级用户。"""
        return _is_superuser(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """谁也不能。"""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """谁也不能。"""
        return False


def _is_superuser(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.is_superuser
