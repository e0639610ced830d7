"""失败记录的页面。"""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from common.admin.display import moment
from sync import services
from sync.models import FailureStatus, SyncFailure
from sync.models.failures import SyncFailureQuerySet

from ..activity import WithActivity
from ..counting import BoundedPaginator
from ..display import badge, failures_url, period_words, run_url
from ..told import refusal, told
from .actions import FailureActions
from .cost import cost_words
from .detail import drawing_of, steps_of
from .filters import (
    ActsFilter,
    MarketFilter,
    PeriodFilter,
    ReasonFilter,
    RecordedAsFilter,
    RecordedByFilter,
    RecordedFilter,
    RunFilter,
    StatusFilter,
)
from .matrix import matrix
from .reasons import reason_label
from .rows import (
    FailureChangeList,
    acts_badge,
    cells_of,
    next_words,
    outlooks_of,
    stock_link,
    with_outlook,
)

MOST_CHOSEN = 100


@admin.register(SyncFailure)
class SyncFailureAdmin(WithActivity, FailureActions):
    """失败记录:看、补拉、放弃、重新打开。

    Made for a million rows: newest first along an index and in no other order, nothing
    counted beyond 10,000, no filter that reads the table for its choices.
    """

    list_display = (
        *("shown_stock", "window", "shown_reason", "acts", "attempts", "next_try"),
        *("shown_run", "shown_note"),
    )
    list_display_links = ("window",)
    list_filter = (
        *(ActsFilter, StatusFilter, ReasonFilter, MarketFilter, PeriodFilter),
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
            told(failure.failure_reason or ""),
        )

    @admin.display(description=gettext_lazy("stock"))
    def shown_stock(self, failure: SyncFailure) -> SafeString | str:
        """股票,点了就是它在这个区间的图。"""
        return stock_link(failure)

    @admin.display(description=gettext_lazy("outlook"))
    def acts(self, failure: Any) -> SafeString:
        """谁要动手。"""
        return acts_badge(failure.outlook)

    @admin.display(description=gettext_lazy("next try"))
    def next_try(self, failure: Any) -> SafeString | str:
        """下一次什么时候试,或者要你做什么。"""
        return next_words(failure)

    @admin.display(description=gettext_lazy("note"))
    def shown_note(self, failure: Any) -> SafeString | str:
        """最新的一句备注,和谁写的。"""
        if failure.note is None:
            return "–"
        return format_html(
            '{} <span class="quiet">{}</span>', failure.note.text, failure.note.by
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

    @admin.display(description=gettext_lazy("run"))
    def shown_run(self, failure: SyncFailure) -> str:
        """记录它的、或者最近补拉它的运行。"""
        if failure.run_id is None:
            return "–"
        url, name = run_url(failure.run_id), _("run %d") % failure.run_id
        return format_html('<a href="{}">{}</a>', url, name)

    # --- pages ---

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        """带着前景的一页。"""
        return FailureChangeList

    def get_urls(self) -> list[URLPattern]:
        """加上补拉要多少、写备注,和分组的页面从前的地址。"""
        wrap = self.admin_site.admin_view
        cost, note = require_safe(self.cost_view), require_POST(self.note_view)
        return [
            path("groups/", wrap(self.groups_view), name="sync_syncfailure_groups"),
            path("cost/", wrap(cost), name="sync_syncfailure_cost"),
            path("<int:pk>/note/", wrap(note), name="sync_syncfailure_note"),
            *super().get_urls(),
        ]

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
        """打开列表,上面是原因 × 市场。"""
        context: dict[str, Any] = {"title": _("Failures")}
        if request.method != "POST" and self.has_view_permission(request):
            acts = request.GET.get("acts", "")
            known = acts if acts in services.Acts.values else ""
            context["matrix"] = matrix(cells_of(request), acts=known)
        return super().changelist_view(request, context | (extra_context or {}))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """一条记录:图、经过、备注,和能对它做的事。"""
        failure = self.get_object(request, object_id)
        context: dict[str, Any] = {"title": str(failure), "subtitle": None}
        if failure is not None and self.has_view_permission(request):
            context |= self._about(request, failure)
        return super().change_view(
            request, object_id, form_url, context | (extra_context or {})
        )

    def _about(self, request: HttpRequest, failure: SyncFailure) -> dict[str, Any]:
        [row] = with_outlook([failure], outlooks_of(request))
        may_act = self.has_retry_permission(request)
        return {
            "row": row,
            "stock": stock_link(row),
            "shown_window": self.window(row),
            "acts": acts_badge(row.outlook),
            "next": next_words(row),
            "attempts": self.attempts(row),
            "reason": self.shown_reason(row),
            "run_link": self.shown_run(row),
            "drawing": drawing_of(row),
            "steps": steps_of(row),
            "notes": [(moment(one.at), one.by, one.text) for one in row.notes.all()],
            "choices": self._choices(failure) if may_act else [],
            "may_act": may_act,
        }

    def cost_view(self, request: HttpRequest) -> HttpResponse:
        """补拉选中的大约要多少。"""
        if not self.has_view_permission(request):
            raise PermissionDenied
        ids = request.GET.get("ids", "").split(",")
        if len(ids) > MOST_CHOSEN or not all(map(_is_id, ids)):
            return JsonResponse({"words": ""}, status=400)
        rows = SyncFailure.objects.filter(pk__in=ids)
        cost = services.retry_cost(rows, at=services.now())
        return JsonResponse({"words": cost_words(cost)})

    def note_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """写一句备注。"""
        if not self.has_retry_permission(request):
            raise PermissionDenied
        failure = get_object_or_404(SyncFailure, pk=pk)
        by, text = request.user.get_username(), request.POST.get("text", "")
        try:
            services.note_failure(failure, text, at=services.now(), by=by)
        except services.BadRequest as error:
            self.message_user(request, refusal(error), messages.ERROR)
        page = reverse("admin:sync_syncfailure_change", args=[pk])
        return HttpResponseRedirect(f"{page}#notes")

    def groups_view(self, request: HttpRequest) -> HttpResponse:
        """按原因分组的数目从前有自己的页面;现在在列表的上面。"""
        if not self.has_view_permission(request):
            raise PermissionDenied
        status = request.GET.get("status", "")
        wanted = {"status": status} if status in map(str, FailureStatus.values) else {}
        return HttpResponseRedirect(failures_url(**wanted))

    def _choices(self, failure: SyncFailure) -> list[tuple[str, str]]:
        if failure.status == FailureStatus.GIVEN_UP:
            return [("reopen", _("Reopen"))]
        if failure.status == FailureStatus.WAITING:
            return [("retry", _("Retry now")), ("give_up", _("Give up"))]
        return []


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19  # noqa: PLR2004 - BIGINT
