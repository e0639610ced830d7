"""完整程度的页面:市场和日子的热图,一格里的股票。"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from sync import services
from sync.models import MarketDay

from ..readonly import ReadOnlyAdmin
from .heat import heat
from .words import day_url

READING = {"GET", "HEAD"}


@admin.register(MarketDay)
class MarketDayAdmin(ReadOnlyAdmin):
    """市场日:不是列表,是一张图。"""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """打开一年的热图,选了的那一天的股票在下面。"""
        if not self.has_view_permission(request) or request.method not in READING:
            raise PermissionDenied
        periods = services.stored_kinds()
        period = request.GET.get("period", "")
        period = period if period in periods else "day"
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Completeness"),
            "period": period,
            "periods": periods,
            **heat(period, at=timezone.now()),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/sync/marketday/list.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """一行没有自己的页面:去它的那一格。"""
        if not self.has_view_permission(request) or request.method not in READING:
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        url = day_url(row.market, row.day, period=row.period)
        return HttpResponseRedirect(url)
