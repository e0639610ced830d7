"""拆股的页面:只看。"""

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
from sync.models import Split, Stock

from ..counting import BoundedPaginator
from ..display import badge
from ..readonly import ReadOnlyAdmin

ADJUSTED = {
    "1": (True, gettext_lazy("adjusted")),
    "0": (False, gettext_lazy("not adjusted")),
    "unknown": (None, gettext_lazy("unknown")),
}


class MarketFilter(ColumnFilter):
    """按市场。"""

    title = gettext_lazy("market")
    parameter_name = column = "market"

    def known(self) -> Choices:
        """有拆股的市场。"""
        rows = Split.objects.order_by("market").values_list("market", flat=True)
        return [(market, market) for market in rows.distinct()]


class AdjustedFilter(admin.SimpleListFilter):
    """按 K 线调整过没有。"""

    title = gettext_lazy("K-lines")
    parameter_name = "adjusted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """列出三种。"""
        return [(name, str(label)) for name, (_value, label) in ADJUSTED.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """筛选;不认识的值是错误。"""
        value = self.value()
        if value is None:
            return queryset
        if value not in ADJUSTED:
            raise IncorrectLookupParameters
        wanted = ADJUSTED[value][0]
        return queryset.filter(
            **{"adjusted__isnull": True} if wanted is None else {"adjusted": wanted}
        )


@admin.register(Split)
class SplitAdmin(ReadOnlyAdmin):
    """拆股和合股:哪只股票、哪天、一股变几股、K 线调整过没有。"""

    list_display = ("shown_stock", "shown_day", "shares", "ratio", "bars", "shown_seen")
    list_display_links = None
    list_filter = (MarketFilter, AdjustedFilter)
    list_per_page = 50
    list_max_show_all = 0
    sortable_by = ()
    search_fields = ("stock_code",)
    search_help_text = gettext_lazy("One stock code or several.")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    fields = list_display

    @admin.display(description=gettext_lazy("stock"))
    def shown_stock(self, split: Split) -> SafeString:
        """股票,点了就是列表里的它。"""
        query = urlencode({"market": split.market, "q": split.stock_code})
        url = f"{reverse('admin:sync_stock_changelist')}?{query}"
        name = f"{split.market} {split.stock_code}"
        return format_html('<a href="{}">{}</a>', url, name)

    @admin.display(description=gettext_lazy("ex-date"))
    def shown_day(self, split: Split) -> str:
        """除权日。"""
        return str(split.ex_date)

    @admin.display(description=gettext_lazy("shares"))
    def shares(self, split: Split) -> SafeString:
        """几股变成几股;方向看不出来的说出来。"""
        told = _("%(old)s become %(new)s")
        words = told % {"old": split.denominator, "new": split.numerator}
        if split.written:
            return format_html("{}", words)
        note = _("which way is not known")
        return format_html('{} <span class="quiet">{}</span>', words, note)

    @admin.display(description=gettext_lazy("K-lines"))
    def bars(self, split: Split) -> SafeString:
        """K 线调整过没有。"""
        labels = dict(ADJUSTED.values())
        return badge("", str(labels[split.adjusted]))

    @admin.display(description=gettext_lazy("seen"))
    def shown_seen(self, split: Split) -> str:
        """什么时候见到的。"""
        return moment(split.seen_at)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """按代码找,一个或几个;要完全一样。"""
        codes = search_term.replace(",", " ").split()
        wanted = {*codes, *(code.upper() for code in codes)}
        return (queryset.filter(stock_code__in=wanted) if codes else queryset), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """列表。"""
        context = {"title": _("Splits")}
        return super().changelist_view(request, context | (extra_context or {}))


def splits_link(stock: Stock) -> SafeString | str:
    """一只股票有几次拆股,点了就是它们的列表。"""
    rows = Split.objects.filter(market=stock.market, stock_code=stock.stock_code)
    count = rows.count()
    if not count:
        return "0"
    query = urlencode({"market": stock.market, "q": stock.stock_code})
    url = f"{reverse('admin:sync_split_changelist')}?{query}"
    return format_html('<a href="{}">{}</a>', url, f"{count:,}")
