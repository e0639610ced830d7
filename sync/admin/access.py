"""访问密钥的页面:建一个,撤销。"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from common.activity import note
from common.admin.strict import StrictAdmin

from ..models import AccessKey, Verb
from ..models.access import AccessKeyQuerySet, check_expiry
from .activity import WithActivity

logger = logging.getLogger(__name__)

LIFE = timedelta(days=365)


class AccessKeyForm(ModelForm):  # type: ignore[type-arg]
    """一个密钥的表单:名字、到期的时刻和限额。"""

    class Meta:
        model = AccessKey
        fields = ("user", "name", "expires_at", "calls_per_minute")

    def clean_expires_at(self) -> datetime:
        """拒绝不在将来的和两年以后的到期时刻。"""
        expires_at: datetime = self.cleaned_data["expires_at"]
        check_expiry(expires_at, at=timezone.now())
        return expires_at


@admin.register(AccessKey)
class AccessKeyAdmin(WithActivity, StrictAdmin):
    """每个工作人员管自己的密钥,超级用户管所有人的,限额只有超级用户能改。

    A key has no more rights than its user, so making one needs no permission. It is
    shown once, in the answer to the form that made it, and never put into a message:
    those travel in cookies.
    """

    form = AccessKeyForm
    list_display = (
        *("name", "user", "shown_prefix", "state"),
        *("expires_at", "last_used_at", "created_at", "limit"),
    )
    list_select_related = ("user",)
    search_fields = ("name", "prefix")
    actions = ("revoke",)

    @admin.display(description=gettext_lazy("begins with"), ordering="prefix")
    def shown_prefix(self, key: AccessKey) -> str:
        """看得见的开头。"""
        return f"{key.prefix}…"

    @admin.display(description=gettext_lazy("state"))
    def state(self, key: AccessKey) -> str:
        """写出密钥现在能不能用。"""
        if key.revoked_at:
            return _("revoked")
        return _("expired") if key.expires_at <= timezone.now() else _("valid")

    @admin.display(description=gettext_lazy("calls a minute"))
    def limit(self, key: AccessKey) -> str:
        """写出一分钟能调用几次;和别的密钥不同的才说是它自己的。"""
        text = str(key.call_limit) if key.call_limit > 0 else _("no limit")
        own = key.calls_per_minute is not None
        return _("%(limit)s, its own") % {"limit": text} if own else text

    @admin.action(
        description=gettext_lazy("Revoke: of no use from now on"),
        permissions=["revoke"],
    )
    def revoke(self, request: HttpRequest, queryset: AccessKeyQuerySet) -> None:
        """撤销选中的密钥。"""
        with transaction.atomic():
            valid = list(queryset.filter(revoked_at=None))
            count = queryset.revoke(at=timezone.now())
            for key in valid:
                note(Verb.KEY_REVOKED, key, user=key.user.get_username())
        _log("access_key.revoked", "%d access keys revoked by %s", count, request)
        message = ngettext("%d key is revoked.", "%d keys are revoked.", count)
        self.message_user(request, message % count, messages.SUCCESS)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """只列出自己的密钥,超级用户列出全部。"""
        keys = super().get_queryset(request)
        return keys if _is_superuser(request) else keys.filter(user=request.user)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """列表,标题和导航里的名字一样。"""
        context = {"title": _("Access keys"), **(extra_context or {})}
        return super().changelist_view(request, context)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """建的时候,超级用户选给谁,给多少。"""
        if obj is None:
            wanted = ("name", "expires_at")
            mine = ("user", *wanted, "calls_per_minute")
            return mine if _is_superuser(request) else wanted
        if _is_superuser(request):
            return (*self.list_display[:-1], "calls_per_minute")
        return self.list_display

    def get_readonly_fields(
        self, request: HttpRequest, obj: Any = None
    ) -> tuple[str, ...]:
        """建好了的只有限额能改。"""
        return () if obj is None else self.list_display

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """给自己,一年。"""
        return {"user": request.user.pk, "expires_at": timezone.now() + LIFE}

    def save_model(
        self,
        request: HttpRequest,
        obj: AccessKey,
        form: ModelForm[AccessKey],
        change: bool,  # noqa: FBT001 Django passes it by position
    ) -> None:
        """抽一个密钥,只存它的摘要;改的只是限额。"""
        assert request.user.is_authenticated
        if change:
            obj.save(update_fields=["calls_per_minute"])
            note(Verb.KEY_LIMITED, obj, user=obj.user.get_username())
            _log(
                "access_key.limited", "access key %s limited by %s", obj.prefix, request
            )
            return
        if not _is_superuser(request):
            obj.user = request.user
        obj.draw()
        obj.save(force_insert=True)
        note(Verb.KEY_CREATED, obj, user=obj.user.get_username())
        _log("access_key.created", "access key %s created by %s", obj.prefix, request)

    def response_add(
        self, request: HttpRequest, obj: AccessKey, post_url_continue: Any = None
    ) -> HttpResponse:
        """给人看这一次。"""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("The new access key"),
            "name": obj.name,
            "key": obj.plain,
        }
        template = "admin/sync/accesskey/created.html"
        return TemplateResponse(request, template, context)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """首页上有没有。"""
        return _is_staff(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """看自己的。"""
        mine = obj is None or _is_superuser(request) or obj.user_id == request.user.pk
        return _is_staff(request) and mine

    def has_add_permission(self, request: HttpRequest) -> bool:
        """给自己建。"""
        return _is_staff(request)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """撤销自己的。"""
        return _is_staff(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """只有超级用户:改限额。"""
        return _is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """只有超级用户:撤销了的留着,好知道有过。"""
        return _is_superuser(request)


def _is_staff(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.is_staff


def _is_superuser(request: HttpRequest) -> bool:
    return _is_staff(request) and request.user.is_superuser


def _log(event: str, text: str, what: object, request: HttpRequest) -> None:
    logger.info(text, what, request.user.get_username(), extra={"event": event})
