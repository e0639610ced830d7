"""失败记录的页面。"""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.admin.display import moment
from sync.models import FailureStatus, SyncFailure
from sync.models.failures import SyncFailureQuerySet

from ..counting import BoundedPaginator
from ..display import badge, period_words, run_url
from .actions import FailureActions
from .filters import (
    MarketFilter,
    PeriodFilter,
    ReasonFilter,
    RecordedAsFilter,
    RecordedByFilter,
    RecordedFilter,
    RunFilter,
    StatusFilter,
)
from .groups import grouped
from .reasons import reason_label


@admin.register(SyncFailure)
class SyncFailureAdmin(FailureActions):
    """失败记录:看、补拉、放弃、重新打开。

    Made for a million rows: newest first along an index and in no other order, nothing
    counted beyond 10,000, no filter that reads the table for its choices.
    """

    list_display = (
        *("stock_code", "market", "window", "shown_status", "attempts"),
        *("shown_reason", "last_retry", "recorded"),
    )
    list_filter = (
        *(StatusFilter, ReasonFilter, MarketFilter, PeriodFilter),
        *(RecordedFilter, RunFilter, RecordedByFilter, RecordedAsFilter),
    )
    list_per_page = 50
    list_max_show_all = 0
    sortable_by = ()
    search_fields = ("stock_code",)
    search_help_text = gettext_lazy("One stock code or several.")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    fields = (
        *("stock_code", "market", "window", "shown_status", "shown_reason"),
        *("attempts", "last_retry", "recorded", "changed", "shown_run", "decided_by"),
    )

    # --- columns ---

    @admin.display(description=gettext_lazy("window"))
    def window(self, failure: SyncFailure) -> str:
        """区间;不是日线的也说周期。"""
        dates = f"{failure.start_date} – {failure.end_date}"
        if failure.period == "day":
            return dates
        return f"{dates} {period_words(failure.period)}"

    @admin.display(description=gettext_lazy("reason"))
    def shown_reason(self, failure: SyncFailure) -> SafeString:
        """种类,和服务商的原话。"""
        return format_html(
            '<div class="reason"><b>{}</b> <span class="quiet">{}</span></div>',
            reason_label(failure.reason_class),
            failure.failure_reason or "",
        )

    @admin.display(description=gettext_lazy("attempts"))
    def attempts(self, failure: SyncFailure) -> str:
        """补拉过几次,最多几次。"""
        most = settings.STOCK_SYNC_MAX_RETRY_COUNT
        return _("%(done)d of %(most)d") % {
            "done": failure.retry_count or 0,
            "most": most,
        }

    @admin.display(description=gettext_lazy("status"))
    def shown_status(self, failure: SyncFailure) -> SafeString:
        """写出状态,带颜色。"""
        return badge(failure.status, failure.get_status_display() or _("unknown"))

    @admin.display(description=gettext_lazy("last retry"))
    def last_retry(self, failure: SyncFailure) -> str:
        """写出上一次补拉的时刻。"""
        return moment(failure.last_retry_time)

    @admin.display(description=gettext_lazy("recorded"))
    def recorded(self, failure: SyncFailure) -> str:
        """什么时候记录的。"""
        return moment(failure.create_time)

    @admin.display(description=gettext_lazy("changed"))
    def changed(self, failure: SyncFailure) -> str:
        """什么时候改动的。"""
        return moment(failure.update_time)

    @admin.display(description=gettext_lazy("run"))
    def shown_run(self, failure: SyncFailure) -> str:
        """记录它的、或者最近补拉它的运行。"""
        if failure.run_id is None:
            return "–"
        url, name = run_url(failure.run_id), _("run %d") % failure.run_id
        return format_html('<a href="{}">{}</a>', url, name)

    # --- pages ---

    def get_urls(self) -> list[URLPattern]:
        """加上分组的页面。"""
        groups = self.admin_site.admin_view(self.groups_view)
        own = path("groups/", groups, name="sync_syncfailure_groups")
        return [own, *super().get_urls()]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """按代码找,一个或几个;整个代码,才用得上索引。"""
        codes = search_term.replace(",", " ").split()
        rows = cast(SyncFailureQuerySet, queryset)
        return (rows.of_stock(*codes) if codes else rows), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """打开列表,标题是「失败记录」。"""
        context = {"title": _("Failures")}
        return super().changelist_view(request, context | (extra_context or {}))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """一条记录,带着能对它做的事。"""
        failure = self.get_object(request, object_id)
        choices = []
        if failure is not None and self.has_retry_permission(request):
            choices = self._choices(failure)
        context = {"choices": choices, "title": str(failure), "subtitle": None}
        return super().change_view(
            request, object_id, form_url, context | (extra_context or {})
        )

    def groups_view(self, request: HttpRequest) -> HttpResponse:
        """按原因和市场分组的数目。"""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Failures by reason"),
            "may_retry": self.has_retry_permission(request),
            **grouped(request.GET.get("status", "")),
        }
        return TemplateResponse(request, "admin/sync/syncfailure/groups.html", context)

    def _choices(self, failure: SyncFailure) -> list[tuple[str, str]]:
        if failure.status == FailureStatus.GIVEN_UP:
            return [("reopen", _("Reopen"))]
        if failure.status == FailureStatus.WAITING:
            return [("retry", _("Retry now")), ("give_up", _("Give up"))]
        return []
