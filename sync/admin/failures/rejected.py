"""没有存下来的 K 线的页面:只看。"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.admin.display import moment
from common.admin.filters import Choices, ColumnFilter
from sync.engine.periods import PERIODS
from sync.models import RejectedBar, Stock
from sync.models.rejected import NO_TIME

from ..counting import BoundedPaginator
from ..display import run_url
from ..readonly import ReadOnlyAdmin
from ..told import told
from .filters import PeriodFilter, RunFilter


class MarketFilter(ColumnFilter):
    """按市场。"""

    title = gettext_lazy("market")
    parameter_name = "market"
    column = "stock__market"

    def known(self) -> Choices:
        """有股票的市场。"""
        rows = Stock.objects.order_by("market").values_list("market", flat=True)
        return [(market, market) for market in rows.distinct()]


class StockFilter(ColumnFilter):
    """按股票;只有从股票的页面来才会出现。"""

    title = gettext_lazy("stock")
    parameter_name = "stock"
    column = "stock_id"

    def known(self) -> Choices:
        """没有可以选的。"""
        return []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """筛选;不是数字就是错误。"""
        value = self.value()
        if value is not None and not (value.isascii() and value.isdigit()):
            raise IncorrectLookupParameters
        return super().queryset(request, queryset)


@admin.register(RejectedBar)
class RejectedBarAdmin(ReadOnlyAdmin):
    """不能用的 K 线:哪只股票、什么时间、服务商给的数字、为什么。"""

    list_display = ("shown_stock", "shown_time", "sent", "shown_reason", "shown_seen")
    list_display_links = None
    list_filter = (MarketFilter, PeriodFilter, StockFilter, RunFilter)
    list_select_related = ("stock",)
    list_per_page = 50
    list_max_show_all = 0
    sortable_by = ()
    search_fields = ("stock__stock_code",)
    search_help_text = gettext_lazy("One stock code or several.")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    fields = ("shown_stock", "shown_time", "sent", "shown_reason", "shown_seen")

    @admin.display(description=gettext_lazy("stock"))
    def shown_stock(self, bar: RejectedBar) -> SafeString:
        """股票,点了就是它的页面。"""
        url = reverse("admin:sync_stock_change", args=[bar.stock_id])
        return format_html('<a href="{}">{}</a>', url, bar.stock)

    @admin.display(description=gettext_lazy("time"))
    def shown_time(self, bar: RejectedBar) -> str:
        """交易日;分钟线到分钟;看不懂时间的说不知道。"""
        if bar.time == NO_TIME:
            return f"{_('unknown')} {bar.period}"
        period = PERIODS.get(bar.period)
        if period and period.intraday:
            return f"{moment(bar.time)} {bar.period}"
        shown = f"{bar.time:%Y-%m-%d}"
        return shown if bar.period == "day" else f"{shown} {bar.period}"

    @admin.display(description=gettext_lazy("reason"))
    def shown_reason(self, bar: RejectedBar) -> str:
        """为什么不能用。"""
        return told(bar.reason)

    @admin.display(description=gettext_lazy("last seen"))
    def shown_seen(self, bar: RejectedBar) -> SafeString:
        """什么时候,哪次运行。"""
        if bar.run_id is None:
            return format_html("{}", moment(bar.seen_at))
        url, name = run_url(bar.run_id), _("run %d") % bar.run_id
        return format_html('{} <a href="{}">{}</a>', moment(bar.seen_at), url, name)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """按代码找,一个或几个;要完全一样,才用得上索引。"""
        codes = search_term.replace(",", " ").split()
        wanted = {*codes, *(code.upper() for code in codes)}
        found = Stock.objects.filter(stock_code__in=wanted).values("pk")
        return (queryset.filter(stock__in=found) if codes else queryset), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """列表。"""
        context = {"title": _("Rejected bars")}
        return super().changelist_view(request, context | (extra_context or {}))


def rejected_url(**wanted: int) -> str:
    """筛选过的列表。"""
    page = reverse("admin:sync_rejectedbar_changelist")
    return f"{page}?{urlencode(wanted)}"


def rejected_link(stock: Stock) -> SafeString | str:
    """一只股票有多少根不能用,点了就是它们的列表。"""
    count = RejectedBar.objects.filter(stock=stock).count()
    if not count:
        return "0"
    url = rejected_url(stock=stock.pk)
    return format_html('<a href="{}">{}</a>', url, f"{count:,}")
