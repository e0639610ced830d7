"""运行的页面:列表、进度、开始、取消、再来一次。"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    QueryDict,
)
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from common.admin.display import moment
from sync import services
from sync.models import RunKind, SyncRun
from sync.models.runs import ACTIVE

from ..activity import activity_of
from ..display import (
    asked,
    asker,
    duration,
    elapsed,
    number,
    run_url,
    state_badge,
)
from ..live import refreshed_when_signed_out
from ..readonly import ReadOnlyAdmin
from ..told import refusal
from .charts import LIST_BARS, duration_bars, result_bar
from .filters import ByFilter, KindFilter, StateFilter
from .progress import details
from .start import GapsPreview, StartForm
from .stocks import stocks_section

GAPS, RETRY = "gaps", "retry"


def _numbers(name: str) -> Callable[[SyncRun], SafeString]:
    """A column of numbers; its own name lets the stylesheet align the heading."""

    def column(run: SyncRun) -> SafeString:
        return number(getattr(run, name))

    column.__name__ = f"number_{name}"
    fields = SyncRun._meta  # noqa: SLF001  # public, whatever its name says
    label = fields.get_field(name).verbose_name  # type: ignore[union-attr]
    return admin.display(column, description=label)


@admin.register(SyncRun)
class SyncRunAdmin(ReadOnlyAdmin):
    """运行的列表和页面。"""

    list_display = (
        *("shown_run", "shown_state", "shown_asked", "shown_by", "shown_started"),
        *("took", "shown_result"),
        *map(_numbers, ("klines", "calls")),
        "number_rate",
    )
    list_filter = (StateFilter, KindFilter, ByFilter)
    list_per_page = 50
    sortable_by = ()
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    # --- columns ---

    @admin.display(description=gettext_lazy("run"))
    def shown_run(self, run: SyncRun) -> str:
        """写出运行的编号。"""
        return _("run %d") % run.pk

    @admin.display(description=gettext_lazy("state"))
    def shown_state(self, run: SyncRun) -> SafeString:
        """写出状态,带颜色。"""
        return state_badge(run)

    @admin.display(description=gettext_lazy("scope"))
    def shown_asked(self, run: SyncRun) -> str:
        """要的是什么。"""
        return asked(run)

    @admin.display(description=gettext_lazy("by"))
    def shown_by(self, run: SyncRun) -> str:
        """谁要的。"""
        return asker(run.requested_by)

    @admin.display(description=gettext_lazy("started (UTC)"))
    def shown_started(self, run: SyncRun) -> str:
        """什么时候开始的;还没有开始的为一横。"""
        return moment(run.started_at)

    @admin.display(description=gettext_lazy("took"))
    def took(self, run: SyncRun) -> str:
        """用了多久;还没结束的到现在为止。"""
        return duration(elapsed(run, at=timezone.now())) if run.started_at else "–"

    @admin.display(description=gettext_lazy("result"))
    def shown_result(self, run: SyncRun) -> SafeString:
        """画出成功、无需更新、失败各有多少。"""
        return result_bar(run, total=run.stocks)

    @admin.display(description=gettext_lazy("K-lines a second"))
    def number_rate(self, run: SyncRun) -> SafeString:
        """算出每秒几根 K 线;还没有开始的为一横。"""
        seconds = elapsed(run, at=timezone.now())
        return number(round(run.klines / seconds) if seconds else None)

    # --- pages ---

    def get_urls(self) -> list[URLPattern]:
        """加上开始、进度、取消、再来一次。"""
        wrap = self.admin_site.admin_view
        progress = refreshed_when_signed_out(wrap(require_safe(self.progress_view)))
        cancel, again = wrap(self.cancel_view), wrap(require_POST(self.again_view))
        retry = wrap(require_POST(self.retry_view))
        forecast = refreshed_when_signed_out(wrap(require_POST(self.forecast_view)))
        return [
            path("start/", wrap(self.start_view), name="sync_syncrun_start"),
            path("start/forecast/", forecast, name="sync_syncrun_forecast"),
            path("<int:pk>/progress/", progress, name="sync_syncrun_progress"),
            path("<int:pk>/cancel/", cancel, name="sync_syncrun_cancel"),
            path("<int:pk>/again/", again, name="sync_syncrun_again"),
            path("<int:pk>/retry/", retry, name="sync_syncrun_retry"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """列表,能开始运行的人有一个按钮。"""
        may_run = self.has_run_permission(request)
        context = {"title": _("Runs"), "may_run": may_run}
        answer = super().changelist_view(request, context | (extra_context or {}))
        if shown := (getattr(answer, "context_data", None) or {}).get("cl"):
            runs = shown.queryset.order_by("-pk")[:LIST_BARS]
            bars = duration_bars(list(runs), at=timezone.now())
            answer.context_data["durations"] = bars  # type: ignore[attr-defined]
        return answer

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """一次运行的页面;没有表单。"""
        if not self.has_view_permission(request) or request.method not in {
            "GET",
            "HEAD",
        }:
            raise PermissionDenied
        run = self.get_object(request, object_id)
        if run is None:
            raise Http404
        stocks = stocks_section(run, request.GET, at=timezone.now())
        more = {"stocks": stocks, "activity": activity_of(run, request)}
        context = self._context(request, run) | more
        context |= extra_context or {}
        return TemplateResponse(request, "admin/sync/syncrun/detail.html", context)

    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """运行的页面上会变的部分,给 htmx。"""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = self._context(request, self._run(request, pk))
        return TemplateResponse(request, "admin/sync/syncrun/_live.html", context)

    def start_view(self, request: HttpRequest) -> HttpResponse:
        """表单;先预演,看过了再开始。"""
        if not self.has_run_permission(request):
            raise PermissionDenied
        at, by = services.now(), request.user.get_username()
        step = request.POST.get("step", "preview")
        form = _start_form(request, step, at=at)
        if step == "begin" and (run := form.begin(at=at, by=by)):
            message = _("%s is queued.") % self.shown_run(run).capitalize()
            self.message_user(request, message, messages.SUCCESS)
            return HttpResponseRedirect(run_url(run.pk))
        retrying = step in {GAPS, RETRY} and self.has_retry_permission(request)
        if step == RETRY and retrying:
            return self._gaps_filled(request, form)
        # Without a script the forecast is asked for by a button.
        asked = request.method == "POST" and step == "preview"
        preview = form.preview(at=at) if asked else None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Start a run"),
            "form": form,
            "presets": services.Preset.choices,
            "preview": preview,
            "may_retry": self.has_retry_permission(request),
            "gaps": GapsPreview.of(form, at=at) if retrying else None,
        }
        return TemplateResponse(request, "admin/sync/syncrun/start.html", context)

    def _gaps_filled(self, request: HttpRequest, form: StartForm) -> HttpResponse:
        try:
            by = request.user.get_username()
            run = services.retry_failed(
                rows=form.gaps(), at=services.now(), by=by, background=True
            )
        except services.Refused as error:
            self.message_user(request, refusal(error), messages.ERROR)
            return HttpResponseRedirect(reverse("admin:sync_syncrun_start"))
        message = _("%s is queued.") % self.shown_run(run).capitalize()
        self.message_user(request, message, messages.SUCCESS)
        return HttpResponseRedirect(run_url(run.pk))

    def forecast_view(self, request: HttpRequest) -> HttpResponse:
        """表单旁边的预演,一边填一边变,给 htmx。"""
        if not self.has_run_permission(request):
            raise PermissionDenied
        form = StartForm(request.POST)
        context = {"preview": form.preview(at=services.now()), "refused": form}
        return TemplateResponse(request, "admin/sync/syncrun/_preview.html", context)

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """先问,再请求取消这次运行。"""
        if not self.has_run_permission(request):
            raise PermissionDenied
        run = self._run(request, pk)
        if request.method != "POST":
            return self._asked_to_cancel(request, run)
        by = request.user.get_username()
        try:
            services.cancel(run.pk, at=services.now(), by=by)
        except services.Refused as error:
            self.message_user(request, refusal(error), messages.ERROR)
        else:
            message = _("Asked to stop: it ends within seconds and keeps what it has.")
            self.message_user(request, message, messages.SUCCESS)
        return HttpResponseRedirect(run_url(run.pk))

    def _asked_to_cancel(self, request: HttpRequest, run: SyncRun) -> HttpResponse:
        if run.state not in ACTIVE:
            return HttpResponseRedirect(run_url(run.pk))
        context = self._context(request, run)
        return TemplateResponse(request, "admin/sync/syncrun/cancel.html", context)

    def again_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """再来一次:同样的请求;补拉则是它还没补上的那些。"""
        run = self._run(request, pk)
        if not self._may_repeat(request, run):
            raise PermissionDenied
        return self._started(request, run, partial(services.repeat, run.pk))

    def retry_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """补拉这次运行里还在等待的失败。"""
        run = self._run(request, pk)
        if not self.has_retry_permission(request):
            raise PermissionDenied
        rows = services.failures_of(run)
        retry = partial(services.retry_failed, rows=rows, background=True)
        return self._started(request, run, retry)

    def _started(
        self, request: HttpRequest, run: SyncRun, start: Callable[..., SyncRun]
    ) -> HttpResponse:
        try:
            new = start(at=services.now(), by=request.user.get_username())
        except services.Refused as error:
            self.message_user(request, refusal(error), messages.ERROR)
            return HttpResponseRedirect(run_url(run.pk))
        message = _("%s is queued.") % self.shown_run(new).capitalize()
        self.message_user(request, message, messages.SUCCESS)
        return HttpResponseRedirect(run_url(new.pk))

    def _run(self, request: HttpRequest, pk: int) -> SyncRun:
        run: SyncRun = get_object_or_404(self.get_queryset(request), pk=pk)
        return run

    def _may_repeat(self, request: HttpRequest, run: SyncRun) -> bool:
        if run.kind == RunKind.RETRY:
            return self.has_retry_permission(request)
        return self.has_run_permission(request)

    def _context(self, request: HttpRequest, run: SyncRun) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": self.shown_run(run).capitalize(),
            "run": run,
            "may_run": self.has_run_permission(request),
            "may_repeat": self._may_repeat(request, run),
            "may_retry": self.has_retry_permission(request),
            **details(run, at=timezone.now()),
        }


def _start_form(request: HttpRequest, step: str, *, at: datetime) -> StartForm:
    if request.method != "POST":
        usual = QueryDict("period=day")
        return StartForm.with_preset(usual, services.Preset.SINCE_LAST, at=at)
    if step in services.Preset:
        return StartForm.with_preset(request.POST, services.Preset(step), at=at)
    return StartForm(request.POST)
