"""活动的页面:谁,做了什么,对什么做的,经由哪条路。"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.activity import Way
from common.admin.filters import BLANK, Choices, ColumnFilter
from sync.models import Activity

from ..counting import BoundedPaginator
from ..display import who
from ..readonly import ReadOnlyAdmin
from .lines import lines


class WayFilter(ColumnFilter):
    """按经由的路筛选。"""

    title = gettext_lazy("by way of")
    parameter_name = column = "way"

    def known(self) -> Choices:
        """列出全部的路。"""
        return [(str(value), str(label)) for value, label in Way.choices]


class WhoFilter(ColumnFilter):
    """按人筛选。"""

    title = gettext_lazy("who")
    parameter_name = column = "who"

    def known(self) -> Choices:
        """活动里有的人:从索引里跳着读。"""
        rows = Activity.objects.order_by("who")
        found = rows.values_list("who", flat=True).distinct()
        return [(name or BLANK, who(name) or _("an unknown name")) for name in found]


class ObjectFilter(ColumnFilter):
    """按对象的种类筛选。"""

    title = gettext_lazy("to what")
    parameter_name = column = "object_type"

    def known(self) -> Choices:
        """列出有页面的种类。"""
        return [
            ("syncrun", _("runs")),
            ("syncfailure", _("failures")),
            ("stock", _("stocks")),
            ("apitoken", _("tokens")),
            ("accesskey", _("access keys")),
        ]


@admin.register(Activity)
class ActivityAdmin(ReadOnlyAdmin):
    """活动的列表;谁登录了,只给看得到用户的人看。"""

    list_display_links = None
    list_filter = (WayFilter, ObjectFilter, WhoFilter)
    linked = ("object_id",)
    list_per_page = 50
    list_max_show_all = 0
    sortable_by = ()
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    actions = None

    def get_urls(self) -> list[URLPattern]:
        """只有列表:一行没有自己的页面。"""
        page = self.admin_site.admin_view(self.changelist_view)
        return [path("", page, name="sync_activity_changelist")]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """不看用户的人,看不到谁登录了、从哪里。"""
        rows = Activity.objects.all()
        return rows if request.user.has_perm("auth.view_user") else rows.of_the_work()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """列表。"""
        context = {"title": _("Activity")} | (extra_context or {})
        answer = super().changelist_view(request, context)
        if isinstance(answer, TemplateResponse) and answer.context_data:
            rows = answer.context_data["cl"].result_list
            answer.context_data["lines"] = lines(rows, request)
        return answer
