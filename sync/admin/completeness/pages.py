"""完整程度的页面:市场和日子的热图,一格里的股票,缺得最多的,CSV。"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from sync import services
from sync.models import MarketDay, SyncRun

from ..display import with_run
from ..live import refreshed_when_signed_out
from ..readonly import ReadOnlyAdmin
from ..told import refusal
from .day import cell_of, day_panel
from .deeds import Deed, deed_of
from .heat import heat
from .verified import verified
from .words import completeness_url, day_url
from .worst import WORDS, worst_rows

READING = {"GET", "HEAD"}
COLUMNS = (
    *("market", "period", "day", "expected", "present", "suspended"),
    *("missing", "waiting", "audited_at"),
)
# Who may start runs may fetch anew; who may retry may decide about failures.
RUNS, RETRIES = {"again", "fetch"}, {"retry", "accept", "note"}


@admin.register(MarketDay)
class MarketDayAdmin(ReadOnlyAdmin):
    """市场日:不是列表,是一张图。"""

    def get_urls(self) -> list[URLPattern]:
        """加上要做的事、核对、缺得最多的、CSV。"""
        wrap = self.admin_site.admin_view
        worst = refreshed_when_signed_out(wrap(require_safe(self.worst_view)))
        return [
            path("do/", wrap(require_POST(self.do_view)), name="sync_marketday_do"),
            path(
                "audit/",
                wrap(require_POST(self.audit_view)),
                name="sync_marketday_audit",
            ),
            path("worst/", worst, name="sync_marketday_worst"),
            path(
                "days.csv", wrap(require_safe(self.csv_view)), name="sync_marketday_csv"
            ),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """打开一年的热图,选了的那一天的股票在下面。"""
        if not self.has_view_permission(request) or request.method not in READING:
            raise PermissionDenied
        at, period = timezone.now(), _period(request.GET.get("period"))
        shown = heat(period, at=at)
        cell = cell_of(request.GET, period=period)
        context = {
            **self._page(request),
            "title": _("Completeness"),
            "period": period,
            "periods": services.stored_kinds(),
            "market": request.GET.get("market") or shown["worst"],
            "verified": verified(at),
            "panel": day_panel(cell, allowed=self._allowed(request)) if cell else None,
            "words": WORDS,
            **shown,
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

    def worst_view(self, request: HttpRequest) -> HttpResponse:
        """缺得最多的股票,给 htmx。"""
        if not self.has_view_permission(request):
            raise PermissionDenied
        market = request.GET.get("market", "")
        context = {"market": market, "rows": worst_rows(market, at=timezone.now())}
        return TemplateResponse(request, "admin/sync/marketday/_worst.html", context)

    def csv_view(self, request: HttpRequest) -> StreamingHttpResponse:
        """一种周期的市场日,写成 CSV。"""
        if not self.has_view_permission(request):
            raise PermissionDenied
        period = _period(request.GET.get("period"))
        name = f"market-days-{period}.csv"
        return StreamingHttpResponse(
            _lines(period),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def audit_view(self, request: HttpRequest) -> HttpResponse:
        """让工作进程核对:一个市场的一天,或者全部市场。"""
        if not self.has_run_permission(request):
            raise PermissionDenied
        period = _period(request.POST.get("period"))
        cell = cell_of(request.POST, period=period)
        names = services.markets_with(period)
        wanted = [cell.market] if cell else names
        if not set(wanted) <= set(names) or not wanted:
            self.message_user(request, _("Nothing is stored there."), messages.WARNING)
        else:
            services.audit_soon(wanted, period, day=cell.day if cell else None)
            text = _("The audit is queued: load this page again in a while.")
            self.message_user(request, text, messages.SUCCESS)
        back = cell.url if cell else completeness_url(period=period)
        return HttpResponseRedirect(back)

    def do_view(self, request: HttpRequest) -> HttpResponse:
        """对选中的股票做一件事:先问,再做。"""
        if request.POST.get("do") not in self._allowed(request):
            raise PermissionDenied
        cell = cell_of(request.POST, period=_period(request.POST.get("period")))
        if cell is None:
            raise Http404
        at = services.now()
        try:
            deed = deed_of(request.POST, cell)
            if "confirmed" not in request.POST:
                return self._ask(request, deed, calls=deed.calls(at=at))
            done = deed.do(at=at, by=request.user.get_username())
            self._tell(request, deed, done)
        except services.Refused as error:
            self.message_user(request, refusal(error), messages.ERROR)
        return HttpResponseRedirect(cell.url)

    def _ask(
        self, request: HttpRequest, deed: Deed, *, calls: int | None
    ) -> HttpResponse:
        context = {
            **self._page(request),
            "title": _("Confirm"),
            "deed": deed,
            "calls": calls,
        }
        return TemplateResponse(request, "admin/sync/marketday/confirm.html", context)

    def _tell(self, request: HttpRequest, deed: Deed, done: SyncRun | int) -> None:
        if isinstance(done, SyncRun):
            words = _("They are fetched again in the background:")
            self.message_user(request, with_run(words, done), messages.SUCCESS)
        else:
            self.message_user(request, deed.done(done), messages.SUCCESS)

    def _allowed(self, request: HttpRequest) -> set[str]:
        runs = RUNS if self.has_run_permission(request) else set()
        return runs | (RETRIES if self.has_retry_permission(request) else set())

    def _page(self, request: HttpRequest) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "may_run": self.has_run_permission(request),
        }


def _period(asked: str | None) -> str:
    return asked if asked in services.stored_kinds() else "day"


def _lines(period: str) -> Iterator[str]:
    """CSV 的每一行;市场、周期和数字里没有要加引号的。"""
    yield ",".join(COLUMNS) + "\r\n"
    rows = MarketDay.objects.filter(period=period).order_by("market", "day")
    for *values, audited_at in rows.values_list(*COLUMNS).iterator():
        yield ",".join(map(str, [*values, f"{audited_at:%Y-%m-%dT%H:%M:%SZ}"])) + "\r\n"
