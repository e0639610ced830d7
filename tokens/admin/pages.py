"""Token 的列表、表单和动作。"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import IntegrityError, transaction
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from common.activity import note
from common.admin.display import moment
from common.admin.filters import DeletedFilter
from common.admin.strict import StrictActions

from ..models import ApiToken, TokenEvent
from ..querysets import ApiTokenQuerySet
from . import columns
from .filters import StateFilter
from .forms import VALUE, TokenForm
from .importing import import_page

logger = logging.getLogger(__name__)

LIST = "admin:tokens_apitoken_changelist"

ACTS: dict[str, Callable[..., int]] = {
    "enabled": ApiTokenQuerySet.enable,
    "disabled": ApiTokenQuerySet.disable,
    "removed": ApiTokenQuerySet.remove,
    "restored": ApiTokenQuerySet.restore,
}


@admin.register(ApiToken)
class ApiTokenAdmin(StrictActions):
    """Token 的页面:值只进不出,行不真的删掉。"""

    form = TokenForm
    list_display: tuple[str, ...] = (
        *("shown_name", "shown_state", "provider", "shown_limits", "used_today"),
        *("shown_error", "expires"),
    )
    list_filter = (StateFilter, "provider", DeletedFilter)
    search_fields = ("name", "last_four")
    search_help_text = gettext_lazy(
        "Name or last four characters. Never a whole value: it would be in the address."
    )
    ordering = ("provider", "name", "pk")
    list_per_page = 50
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    actions = ("enable", "disable", "remove", "restore")
    readonly_fields: ClassVar[tuple[str, ...]] = (
        *("masked_value", "shown_state", "used_today", "shown_error"),
        *("created", "changed"),
    )

    # --- columns ---

    @admin.display(description=gettext_lazy("token"))
    def shown_name(self, token: ApiToken) -> SafeString:
        """名字和最后四位;没有名字也要有可以点的。"""
        return columns.named(token)

    @admin.display(description=gettext_lazy("value"))
    def masked_value(self, token: ApiToken) -> str:
        """只有最后四位。"""
        return token.masked

    @admin.display(description=gettext_lazy("state"))
    def shown_state(self, token: ApiToken) -> SafeString:
        """状态,被谁占用,休息到什么时候。"""
        holder = self.shown_holder(token.leased_by)
        return columns.state(token, at=timezone.now(), holder=holder)

    def shown_holder(self, owner: str) -> str:
        """占用着 Token 的是谁,给人看的;知道更多的页面可以换成链接。"""
        return owner

    @admin.display(description=gettext_lazy("limits"))
    def shown_limits(self, token: ApiToken) -> str:
        """写出套餐的上限,一行一个。"""
        return columns.limits(token, at=timezone.now())

    @admin.display(description=gettext_lazy("calls today"))
    def used_today(self, token: ApiToken) -> SafeString:
        """写出今天用了多少、还剩多少。"""
        return columns.used_today(token, at=timezone.now())

    @admin.display(description=gettext_lazy("last error"))
    def shown_error(self, token: ApiToken) -> str:
        """写出最近的错误和它的时刻。"""
        return columns.last_error(token)

    @admin.display(description=gettext_lazy("expires"))
    def expires(self, token: ApiToken) -> str:
        """写出过期的时刻。"""
        return moment(token.expire_time)

    @admin.display(description=gettext_lazy("created"))
    def created(self, token: ApiToken) -> str:
        """写出存进来的时刻。"""
        return moment(token.created_at)

    @admin.display(description=gettext_lazy("changed"))
    def changed(self, token: ApiToken) -> str:
        """写出最后改动的时刻。"""
        return moment(token.updated_at)

    # --- who may ---

    def has_delete_permission(
        self, request: HttpRequest, obj: ApiToken | None = None
    ) -> bool:
        """谁也不能真的删掉:行里有用了多少次的账。"""
        return False

    def has_remove_permission(self, request: HttpRequest) -> bool:
        """能不能标记为删除。"""
        return request.user.has_perm("tokens.delete_apitoken")

    def has_import_permission(self, request: HttpRequest) -> bool:
        """能不能导入:导入会添加,也会修改。"""
        return self.has_add_permission(request) and self.has_change_permission(request)

    # --- pages ---

    def get_urls(self) -> list[URLPattern]:
        """加上导入的地址。"""
        page = self.admin_site.admin_view(self.import_view)
        return [
            path("import/", page, name="tokens_apitoken_import"),
            *super().get_urls(),
        ]

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """打开导入的页面。"""
        return import_page(self, request)

    def get_fieldsets(self, request: HttpRequest, obj: ApiToken | None = None) -> Any:
        """添加的时候没有状态可看;只能看的人没有值可填。"""
        may_change = obj is None or self.has_change_permission(request, obj)
        plan = ("minute_limit", "daily_limit", "batch_size")
        markets = ("markets", "excluded_markets", "expire_time")
        value = (VALUE,) if may_change else ()
        named = ("name", "provider", *value, "base_url", "status")
        fieldsets: list[tuple[Any, dict[str, Any]]] = [
            (None, {"fields": named}),
            (_("Plan"), {"fields": (*plan, *markets)}),
        ]
        if obj is not None:
            fieldsets.append((_("Now"), {"fields": self.readonly_fields}))
        return fieldsets

    def get_readonly_fields(
        self, request: HttpRequest, obj: ApiToken | None = None
    ) -> tuple[str, ...]:
        """值是和服务商绑在一起的,所以服务商不能改。"""
        return (
            self.readonly_fields if obj is None else ("provider", *self.readonly_fields)
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """列表,能导入的人有一个按钮。"""
        may_import = self.has_import_permission(request)
        context = {"title": _("Tokens"), "may_import": may_import}
        return super().changelist_view(request, context | (extra_context or {}))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """表单;同一个值正好被别人先存了,就说出来。"""
        context = {"show_save_and_add_another": False, **(extra_context or {})}
        try:
            return super().changeform_view(request, object_id, form_url, context)
        except IntegrityError:
            logger.warning("A token was not saved: its value has been stored just now")
            message = _("Somebody else stored this value at the same moment.")
            self.message_user(request, message, messages.ERROR)
            return HttpResponseRedirect(reverse(LIST))

    def save_model(
        self,
        request: HttpRequest,
        obj: ApiToken,
        form: ModelForm[ApiToken],
        change: bool,  # noqa: FBT001 Django passes it by position
    ) -> None:
        """只写这个人改过的列:别的列正被运行中的任务使用。"""
        by, at = request.user.get_username(), timezone.now()
        if not change:
            obj.save(force_insert=True)
            TokenEvent.objects.record([obj.pk], TokenEvent.Kind.CREATED, at=at, by=by)
            note("token.added", obj)
            return
        assert isinstance(form, TokenForm)
        if changed := form.changed_columns:
            if form.renewed:
                obj.refused_at = None
            columns = [*changed, *obj.renew_plan(), "refused_at", "updated_at"]
            obj.save(update_fields=columns)
            for kind, details in form.events():
                TokenEvent.objects.record([obj.pk], kind, at=at, by=by, **details)
            note("token.changed", obj, columns=form.changed_data)

    # --- actions ---

    @admin.action(description=gettext_lazy("Enable"), permissions=["change"])
    def enable(self, request: HttpRequest, queryset: ApiTokenQuerySet) -> None:
        """启用选中的 Token。"""
        count = self._changed(request, queryset, _("Enabled."), "enabled")
        message = ngettext("%d token is enabled.", "%d tokens are enabled.", count)
        self.message_user(request, message % count, messages.SUCCESS)

    @admin.action(
        description=gettext_lazy("Disable: no run uses them"), permissions=["change"]
    )
    def disable(self, request: HttpRequest, queryset: ApiTokenQuerySet) -> None:
        """停用选中的 Token。"""
        count = self._changed(request, queryset, _("Disabled."), "disabled")
        message = ngettext("%d token is disabled.", "%d tokens are disabled.", count)
        self.message_user(request, message % count, messages.SUCCESS)

    @admin.action(
        description=gettext_lazy("Delete: hide and never use"), permissions=["remove"]
    )
    def remove(self, request: HttpRequest, queryset: ApiTokenQuerySet) -> None:
        """把选中的 Token 标记为删除。"""
        count = self._changed(request, queryset, _("Deleted."), "removed")
        message = ngettext(
            "%d token is deleted. It can be restored.",
            "%d tokens are deleted. They can be restored.",
            count,
        )
        self.message_user(request, message % count, messages.SUCCESS)

    @admin.action(
        description=gettext_lazy("Restore deleted ones"), permissions=["remove"]
    )
    def restore(self, request: HttpRequest, queryset: ApiTokenQuerySet) -> None:
        """恢复选中的 Token。"""
        count = self._changed(request, queryset, _("Restored."), "restored")
        message = ngettext("%d token is restored.", "%d tokens are restored.", count)
        self.message_user(request, message % count, messages.SUCCESS)

    def _changed(
        self,
        request: HttpRequest,
        tokens: ApiTokenQuerySet,
        message: str,
        done: str,
    ) -> int:
        """Do it by one UPDATE, and write down who did it to which."""
        ids = list(tokens.values_list("pk", flat=True))
        chosen = ApiToken.objects.filter(pk__in=ids)
        by, at = request.user.get_username(), timezone.now()
        with transaction.atomic():
            count = ACTS[done](chosen, at=at, by=by)
            if count:
                for token in chosen:
                    note(f"token.{done}", token)
        if count:
            assert request.user.pk is not None
            LogEntry.objects.log_actions(
                user_id=request.user.pk,
                queryset=list(chosen),
                action_flag=CHANGE,
                change_message=message,
            )
        return count
