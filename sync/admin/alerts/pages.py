"""告警的页面:规则,现在有什么,告诉了谁;管理员可以发一条测试。"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from sync import services
from sync.models import Alert

from ..readonly import ReadOnlyAdmin
from .rows import alert_rows, kind_words, receiver_rows, rule_rows

PAGE = "admin:sync_alert_changelist"
# More nobody reads; the number of those that are open stands beside each rule.
OPEN, OVER = 200, 50


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """告警:能看的人看,超级用户发测试。"""

    def get_urls(self) -> list[URLPattern]:
        """只有一页,和发测试的地址。"""
        wrap = self.admin_site.admin_view
        test = wrap(require_POST(self.test_view))
        return [
            path("", wrap(self.changelist_view), name="sync_alert_changelist"),
            path("test/", test, name="sync_alert_test"),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """列出规则、还没有过去的、过去了的和接收方。"""
        if not self.has_view_permission(request) or request.method == "POST":
            raise PermissionDenied
        rows = Alert.objects.prefetch_related("deliveries")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Alerts"),
            "rules": rule_rows(),
            "is_watched": services.is_watched(at=services.now()),
            "watched_at": services.watched_at(),
            "open": alert_rows(rows.open()[:OPEN]),
            "over": alert_rows(rows.filter(open=None)[:OVER]),
            "receivers": receiver_rows(),
            "quiet": settings.ALERT_QUIET_HOURS,
            "is_quiet": services.is_quiet(at=services.now()),
            "may_test": _may_test(request),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/sync/alert/list.html", context)

    def test_view(self, request: HttpRequest) -> HttpResponse:
        """给每个接收方发一条测试,说它们各自怎样回答。"""
        if not _may_test(request):
            raise PermissionDenied
        answers = services.test_receivers()
        for each in answers:
            name = f"{each.receiver.label} ({kind_words(each.receiver)})"
            if each.problem:
                words = f"{name}: {each.problem.words}"
                self.message_user(request, words, messages.ERROR)
            else:
                self.message_user(request, _("%s has taken it.") % name)
        if not answers:
            nobody = _("Nobody is told: there is no receiver in the settings.")
            self.message_user(request, nobody, messages.WARNING)
        return HttpResponseRedirect(reverse(PAGE))


def _may_test(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.is_superuser
