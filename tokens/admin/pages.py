"""Token 的列表、表单和动作。"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db import IntegrityError, transaction
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from common.activity import note
from common.admin.display import badge, moment
from common.admin.filters import DeletedFilter
from common.admin.strict import StrictAdmin

from .. import conditions
from ..models import ApiToken, TokenEvent
from ..querysets import ApiTokenQuerySet
from . import columns, events, looks, pool
from .filters import StateFilter
from .forms import VALUE, TokenForm
from .importing import import_page

logger = logging.getLogger(__name__)

BAR_DAYS = 30
EVENTS = 20  # to a page

LIST = "admin:tokens_apitoken_changelist"

ACTS: dict[str, Callable[..., int]] = {
    "enabled": ApiTokenQuerySet.enable,
    "disabled": ApiTokenQuerySet.disable,
    "removed": ApiTokenQuerySet.remove,
    "restored": ApiTokenQuerySet.restore,
}


class TokenList(ChangeList):
    """Token 的列表:一页的每一行都带着各列要看的东西。"""

    def get_results(self, request: HttpRequest) -> None:
        """取一页,再把它们的日子、事和此刻在哪里一起取来。"""
        super().get_results(request)
        self.result_list: Any = list(self.result_list)
        assert isinstance(self.model_admin, ApiTokenAdmin)
        self.model_admin.look_at(request, self.result_list)


@admin.register(ApiToken)
class ApiTokenAdmin(StrictAdmin):
    """Token 的页面:值只进不出,行不真的删掉。"""

    form = TokenForm
    list_display: tuple[str, ...] = (
        *("shown_name", "shown_state", "shown_minute", "used_today", "shown_days"),
        *("shown_limits", "shown_event"),
    )
    list_filter = (StateFilter, DeletedFilter)
    search_fields = ("name", "last_four")
    search_help_text = gettext_lazy(
        "Name or last four characters. Never a whole value: it would be in the address."
    )
    list_per_page = 50
    sortable_by = ()
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = ("enable", "disable", "remove", "restore")
    readonly_fields: ClassVar[tuple[str, ...]] = ("masked_value", "created", "changed")

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
        """状态和它的原因;被拒绝的可以就地再试、换值。"""
        return columns.state(
            token, at=timezone.now(), looks=looks.kept(token), holder=self.shown_holder
        )

    def shown_holder(self, owner: str) -> SafeString | str:
        """占用着 Token 的是谁,给人看的;知道更多的页面可以换成链接。"""
        return owner

    @admin.display(description=gettext_lazy("this minute"))
    def shown_minute(self, token: ApiToken) -> SafeString:
        """画出这一分钟用了几次。"""
        seen = looks.kept(token)
        return columns.minute(token, at=timezone.now(), looks=seen)

    @admin.display(description=gettext_lazy("calls today"))
    def used_today(self, token: ApiToken) -> SafeString:
        """写出今天用了多少、还剩多少。"""
        return columns.used_today(token, at=timezone.now())

    @admin.display(description=gettext_lazy("14 days"))
    def shown_days(self, token: ApiToken) -> SafeString:
        """画出最近十四天的请求和错误。"""
        return columns.history(looks.kept(token))

    @admin.display(description=gettext_lazy("plan"))
    def shown_limits(self, token: ApiToken) -> str:
        """写出套餐的上限,一行一个。"""
        return columns.limits(token, at=timezone.now())

    @admin.display(description=gettext_lazy("last event"))
    def shown_event(self, token: ApiToken) -> SafeString:
        """写出最近的一件事。"""
        return columns.last_event(looks.kept(token), holder=self.shown_holder)

    @admin.display(description=gettext_lazy("created"))
    def created(self, token: ApiToken) -> str:
        """写出存进来的时刻。"""
        return moment(token.created_at)

    @admin.display(description=gettext_lazy("changed"))
    def changed(self, token: ApiToken) -> str:
        """写出最后改动的时刻。"""
        return moment(token.updated_at)

    # --- what is gathered ---

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """列表每行带着要看的东西。"""
        return TokenList

    def get_ordering(self, request: HttpRequest) -> Any:
        """有麻烦的在前:被拒绝的最先。"""
        return conditions.by_trouble(timezone.now())

    def look_at(
        self, request: HttpRequest, tokens: Sequence[ApiToken], **wanted: int
    ) -> None:
        """把这些 Token 要看的一起取来,记在各行上。"""
        found = looks.looks_at(
            tokens,
            at=timezone.now(),
            may_change=self.has_change_permission(request),
            **wanted,
        )
        for token in tokens:
            looks.keep(token, found[token.pk])

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
            fieldsets.append((_("Stored"), {"fields": self.readonly_fields}))
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
        """列表,上面是整个池子的今天;能导入的人有一个按钮。"""
        context = {
            "title": _("Tokens"),
            "may_import": self.has_import_permission(request),
            "pool": pool.today(at=timezone.now()),
        }
        return super().changelist_view(request, context | (extra_context or {}))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """表单,上面是此刻的样子,下面是每天的请求和发生过的事。"""
        token = self.get_object(request, object_id)
        context = self._shown(request, token) if token else {}
        return super().change_view(
            request, object_id, form_url, context | (extra_context or {})
        )

    def _shown(self, request: HttpRequest, token: ApiToken) -> dict[str, Any]:
        self.look_at(request, [token], days=BAR_DAYS)
        looks.kept(token).may_change = False  # here the form below does it
        pages = Paginator(token.events.order_by("-at", "-pk"), EVENTS)
        page = pages.get_page(request.GET.get("events"))
        return {
            "now": [
                (_("State"), self.shown_state(token)),
                (_("This minute"), self.shown_minute(token)),
                (_("Today"), self.used_today(token)),
                (_("Plan"), self.shown_limits(token)),
            ],
            "days": columns.day_bars(looks.kept(token), limit=token.daily_limit),
            "day_count": BAR_DAYS,
            "events": [self._event(event) for event in page],
            "events_page": page,
        }

    def _event(self, event: TokenEvent) -> dict[str, Any]:
        return {
            "when": events.when(event),
            "badge": badge(events.colour(event), events.label(event)),
            "words": events.words(event),
            "who": self.shown_holder(event.who) if event.who else "",
        }

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
