"""股票的页面:列表、同步选中的、导入、从服务商取得列表。"""

from __future__ import annotations

from datetime import date
from typing import Any

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
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from common.admin.display import moment
from common.admin.filters import Choices, ColumnFilter, DeletedFilter
from sync import services
from sync.engine.markets import MARKETS
from sync.models import Stock, SyncRun

from ..activity import WithActivity
from ..corrections.pages import corrections_links
from ..display import csv_url, run_url, with_run
from ..failures.rejected import rejected_link
from ..readonly import ReadOnlyAdmin
from ..told import refusal
from . import lists as stock_lists
from .chart import RepairForm, SpanForm, chart_data
from .gone import GoneFilter, state
from .klines import klines_page
from .page import chart_url, stock_page
from .rows import (
    StockChangeList,
    coverage_links,
    covered,
    klines_url,
    searched,
    stats,
    waiting_link,
)
from .splits import splits_link
from .sync import MOST, WindowForm

STEPS = ("preview", "begin")


class StockMarketFilter(ColumnFilter):
    """按市场筛选股票。"""

    title = gettext_lazy("market")
    parameter_name = column = "market"

    def known(self) -> Choices:
        """有股票的市场。"""
        rows = Stock.objects.order_by("market").values_list("market", flat=True)
        return [(market, market) for market in rows.distinct()]


@admin.register(Stock)
class StockAdmin(WithActivity, ReadOnlyAdmin):
    """股票的列表和页面;不在表单里改,只从列表导入。"""

    list_display = (
        *("stock_code", "market", "stock_name", "exchange"),
        *("covered", "newest", "number_waiting", "klines"),
    )
    list_filter = (StockMarketFilter, GoneFilter, DeletedFilter)
    list_per_page = 100
    list_max_show_all = 0
    sortable_by = ()
    ordering = ("market", "stock_code")
    search_fields = ("stock_code",)
    search_help_text = gettext_lazy("How the code begins, or a part of the name.")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = ("sync_window",)
    fields = (
        *("stock_code", "market", "stock_name", "exchange", "state"),
        *("coverage", "waiting", "rejected", "corrections", "splits"),
        *("created", "updated"),
    )

    # --- columns ---

    @admin.display(description=gettext_lazy("coverage (day)"))
    def covered(self, stock: Stock) -> SafeString | str:
        """日线的覆盖范围。"""
        return covered(stock.stats)  # type: ignore[attr-defined]

    @admin.display(description=gettext_lazy("newest K-line"))
    def newest(self, stock: Stock) -> str:
        """写出最新的日线是哪一天的。"""
        return str(stock.stats.newest or "–")  # type: ignore[attr-defined]

    @admin.display(description=gettext_lazy("waiting failures"))
    def number_waiting(self, stock: Stock) -> SafeString | str:
        """等待补拉的失败。"""
        return waiting_link(stock, stock.stats.waiting)  # type: ignore[attr-defined]

    @admin.display(description=gettext_lazy("K-lines"))
    def klines(self, stock: Stock) -> SafeString:
        """到 K 线的链接。"""
        return format_html('<a href="{}">{}</a>', klines_url(stock), _("show"))

    @admin.display(description=gettext_lazy("coverage"))
    def coverage(self, stock: Stock) -> SafeString | str:
        """每种周期的覆盖范围。"""
        return coverage_links(stock)

    @admin.display(description=gettext_lazy("state"))
    def state(self, stock: Stock) -> SafeString:
        """在不在列表里,服务商还有没有。"""
        return state(stock)

    @admin.display(description=gettext_lazy("waiting failures"))
    def waiting(self, stock: Stock) -> SafeString | str:
        """等待补拉的失败。"""
        return waiting_link(stock, stats([stock])[stock.pk].waiting)

    @admin.display(description=gettext_lazy("rejected bars"))
    def rejected(self, stock: Stock) -> SafeString | str:
        """不能用、没有存下来的 K 线。"""
        return rejected_link(stock)

    @admin.display(description=gettext_lazy("corrections"))
    def corrections(self, stock: Stock) -> SafeString | str:
        """改正过的 K 线,换过的口径。"""
        return corrections_links(stock)

    @admin.display(description=gettext_lazy("splits"))
    def splits(self, stock: Stock) -> SafeString | str:
        """拆股和合股。"""
        return splits_link(stock)

    @admin.display(description=gettext_lazy("created"))
    def created(self, stock: Stock) -> str:
        """什么时候存进来的。"""
        return moment(stock.created_at)

    @admin.display(description=gettext_lazy("updated"))
    def updated(self, stock: Stock) -> str:
        """什么时候改的。"""
        return moment(stock.updated_at)

    # --- pages ---

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        """带着数字的一页。"""
        return StockChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """按代码的开头,或者名字。"""
        term = search_term.strip()
        return (searched(queryset, term) if term else queryset), False  # type: ignore[arg-type]

    def get_urls(self) -> list[URLPattern]:
        """加上同步、导入、列表,和 K 线。"""
        wrap = self.admin_site.admin_view
        sync, klines = require_POST(self.sync_view), require_safe(self.klines_view)
        bars, repair = require_safe(self.bars_view), require_POST(self.repair_view)
        return [
            path("sync/", wrap(sync), name="sync_stock_sync"),
            path("import/", wrap(self.import_view), name="sync_stock_import"),
            path("load/", wrap(self.load_view), name="sync_stock_load"),
            path("klines/", wrap(klines), name="sync_kline_changelist"),
            path("<int:pk>/bars/", wrap(bars), name="sync_stock_bars"),
            path("<int:pk>/repair/", wrap(repair), name="sync_stock_repair"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """列表,能开始运行的人有两个按钮。"""
        may_run = self.has_run_permission(request)
        context = {"title": _("Stocks"), "may_run": may_run, **_export(request)}
        return super().changelist_view(request, context | (extra_context or {}))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """打开一只股票的页面:图、缺口、覆盖范围、动过它的。"""
        stock = self.get_object(request, object_id)
        context: dict[str, Any] = {"title": str(stock), "subtitle": None}
        if isinstance(stock, Stock) and self.has_view_permission(request):
            context |= stock_page(request, stock) | {
                "facts": self._facts(stock),
                "may_run": self.has_run_permission(request),
                "may_retry": self.has_retry_permission(request),
            }
        return super().change_view(
            request, object_id, form_url, context | (extra_context or {})
        )

    def _facts(self, stock: Stock) -> list[tuple[str, SafeString | str]]:
        """列在旁边的几件事,名字和列表的列一样。"""
        shown = (
            *(self.state, self.coverage, self.waiting, self.rejected),
            *(self.corrections, self.splits, self.created, self.updated),
        )
        return [(column.short_description, column(stock)) for column in shown]  # type: ignore[attr-defined]

    def bars_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """图的数据;和管理页面一样,谁也不留着。"""
        if not self.has_view_permission(request):
            raise PermissionDenied
        stock = get_object_or_404(Stock, pk=pk)
        form = SpanForm(request.GET)
        if not form.is_valid():
            return JsonResponse(form.errors.get_json_data(), status=400)
        wanted = form.cleaned_data
        found = services.history(
            stock,
            wanted["period"],
            since=wanted["since"],
            until=wanted["until"],
            **form.look,
        )
        return JsonResponse(chart_data(found))

    def repair_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """把一个缺口再取一遍,回到图上。"""
        if not self.has_retry_permission(request):
            raise PermissionDenied
        stock = get_object_or_404(Stock, pk=pk)
        form = RepairForm(request.POST)
        if not form.is_valid():
            self.message_user(request, _("Choose the gap once more."), messages.ERROR)
            return HttpResponseRedirect(chart_url(stock))
        period, start, end = (form.cleaned_data[n] for n in ("period", "start", "end"))
        self._repair(request, stock, period, start=start, end=end)
        return HttpResponseRedirect(
            chart_url(stock, period=period, since=start, to=end, **form.look)
        )

    def _repair(
        self, request: HttpRequest, stock: Stock, period: str, *, start: date, end: date
    ) -> None:
        by, at = request.user.get_username(), services.now()
        try:
            run = services.repair(stock, period, start=start, end=end, at=at, by=by)
        except services.Refused as error:
            self.message_user(request, refusal(error), messages.ERROR)
            return
        words = _("The gap is fetched again in the background:")
        self.message_user(request, with_run(words, run), messages.SUCCESS)

    def klines_view(self, request: HttpRequest) -> HttpResponse:
        """打开 K 线的页面。"""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return klines_page(request, self.page(request, _("K-lines")))

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """从 CSV 导入。"""
        if not self.has_run_permission(request):
            raise PermissionDenied
        return stock_lists.import_page(self, request)

    def load_view(self, request: HttpRequest) -> HttpResponse:
        """从服务商取得列表。"""
        if not self.has_run_permission(request):
            raise PermissionDenied
        return stock_lists.load_page(self, request)

    def page(self, request: HttpRequest, title: str) -> dict[str, Any]:
        """每个页面都要的。"""
        common = self.admin_site.each_context(request)
        return {**common, "opts": self.opts, "title": title}

    # --- syncing a selection ---

    @admin.action(
        description=gettext_lazy("Sync a window of these stocks"), permissions=["run"]
    )
    def sync_window(
        self, request: HttpRequest, queryset: QuerySet[Stock]
    ) -> HttpResponse | None:
        """选了股票,再问区间。"""
        rows = queryset.filter(deleted=False).order_by()
        ids = list(rows.values_list("pk", flat=True)[: MOST + 1])
        if not ids or len(ids) > MOST:
            self.message_user(request, _no_selection(len(ids)), messages.WARNING)
            return None
        form = WindowForm(initial={"stocks": ",".join(map(str, ids))})
        return self._sync_page(request, form, count=len(ids))

    def sync_view(self, request: HttpRequest) -> HttpResponse:
        """先预演,看过了再开始。"""
        if not self.has_run_permission(request):
            raise PermissionDenied
        at, by = services.now(), request.user.get_username()
        step = request.POST.get("step")
        form = WindowForm(request.POST) if step in STEPS else _opened(request)
        previews = form.preview(at=at) if step == "preview" else []
        if step == "begin" and (runs := form.begin(at=at, by=by)):
            return self._begun(request, runs, form)
        count = len(request.POST.get("stocks", "").split(","))
        return self._sync_page(request, form, count=count, previews=previews)

    def _sync_page(
        self, request: HttpRequest, form: WindowForm, **more: Any
    ) -> HttpResponse:
        context = {**self.page(request, _("Sync stocks")), "form": form, **more}
        return TemplateResponse(request, "admin/sync/stock/sync.html", context)

    def _begun(
        self, request: HttpRequest, runs: list[SyncRun], form: WindowForm
    ) -> HttpResponse:
        for refused in form.non_field_errors():
            self.message_user(request, str(refused), messages.ERROR)
        links = [(run_url(run.pk), _("run %d") % run.pk, run.market) for run in runs]
        named = format_html_join(", ", '<a href="{}">{}</a> ({})', links)
        message = format_html("{} {}", _("Queued:"), named)
        self.message_user(request, message, messages.SUCCESS)
        if len(runs) == 1:
            return HttpResponseRedirect(run_url(runs[0].pk))
        return HttpResponseRedirect(reverse("admin:sync_syncrun_changelist"))


def _export(request: HttpRequest) -> dict[str, str]:
    """选了的市场的 K 线,CSV。"""
    market = request.GET.get("market", "")
    if market not in MARKETS:
        return {}
    return {"csv_market": market, "csv_url": csv_url(market=market, period="day")}


def _opened(request: HttpRequest) -> WindowForm:
    """打开表单,带着已经填过的;还没有填的不算错。"""
    filled = request.POST.dict()
    named = {name: filled[name] for name in WindowForm.base_fields if name in filled}
    return WindowForm(initial=named)


def _no_selection(count: int) -> str:
    if not count:
        return _("All of these stocks are deleted.")
    return _("More than %d stocks: start a run over their market instead.") % MOST
