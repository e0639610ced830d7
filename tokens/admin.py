"""Token 的管理页面。"""

from __future__ import annotations

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .models import ApiToken


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Token 列表:值从不显示,也还不能在这里改。"""

    list_display = (
        "name",
        "masked_value",
        "provider",
        "status",
        "daily_limit",
        "minute_limit",
        "used_today",
        "last_error",
        "expire_time",
    )
    list_filter = ("provider", "status", "deleted")
    search_fields = ("name", "last_four")
    fields = (
        *("name", "masked_value", "provider", "base_url", "status", "deleted"),
        *("daily_limit", "used_today", "minute_limit", "batch_size"),
        *("markets", "excluded_markets", "expire_time"),
        *("last_error", "last_error_at", "leased_by", "leased_until"),
    )
    # The value is bound to the provider, and whoever sets the host receives the value.
    readonly_fields = (
        *("masked_value", "provider", "base_url", "used_today"),
        *("last_error", "last_error_at", "leased_by", "leased_until"),
    )

    @admin.display(description=_("value"))
    def masked_value(self, token: ApiToken) -> str:
        """只有最后四位。"""
        return token.masked

    @admin.display(description=_("used today"))
    def used_today(self, token: ApiToken) -> int:
        """今天用了多少次。"""
        return token.used_today(timezone.now())

    def has_add_permission(self, request: HttpRequest) -> bool:
        """还不能在页面上添加:用 import_tokens。"""
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: ApiToken | None = None
    ) -> bool:
        """不真的删除,只勾选 deleted。"""
        return False

    def save_model(
        self,
        request: HttpRequest,
        obj: ApiToken,
        form: ModelForm[ApiToken],
        change: bool,  # noqa: FBT001 Django passes it by position
    ) -> None:
        """只写改过的列:别的列正被运行中的任务使用。"""
        obj.save(update_fields=[*form.changed_data, "updated_at"])
