"""用户和组的页面:Django 自己的,放到我们的底上。"""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User

from common.admin.strict import StrictAdmin


class UserPages(StrictAdmin, UserAdmin):  # type: ignore[type-arg]
    """用户。"""


class GroupPages(StrictAdmin, GroupAdmin):
    """组。"""


admin.site.unregister([User, Group])
admin.site.register(User, UserPages)
admin.site.register(Group, GroupPages)
