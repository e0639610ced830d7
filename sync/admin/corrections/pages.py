"""改正的 K 线和换了口径的序列的页面;认不出来的由人决定。"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, ngettext

from common.admin.display import moment
from common.admin.filters import Choices, ColumnFilter
from common.messages import words_of
from sync import services
from sync.engine.periods import PERIODS
from sync.models import Restatement, RestatementState, Revision, Stock
from sync.models.corrections import RestatementQuerySet

from ..activity import WithActivity
from ..counting import BoundedPaginator
from ..display import period_words, run_url
from ..failures.filters import PeriodFilter, RunFilter
from ..failures.rejected import MarketFilter, StockFilter
from ..readonly import ReadOnlyAdmin

logger = logging.getLogger(__name__)


class StateFilter(ColumnFilter):
    """按到了哪一步。"""

    title = gettext_lazy("state")
    parameter_name = column = "state"

    def known(self) -> Choices:
        """全部四种。"""
        return [(str(value), str(label)) for value, label in RestatementState.choices]


class OfStocks(ReadOnlyAdmin):
    """关于一只股票一种周期的行:找得到股票,也找得到运行。"""

    list_display_links = None
    list_select_related = ("stock",)
    list_per_page = 50
    list_max_show_all = 0
    sortable_by = ()
    search_fields = ("stock__stock_code",)
    search_help_text = gettext_lazy("One stock code or several.")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    heading = ""

    @admin.display(description=gettext_lazy("stock"))
    def shown_stock(self, row: Any) -> SafeString:
        """股票,点了就是它的页面。"""
        url = reverse("admin:sync_stock_change", args=[row.stock_id])
        words = period_words(row.period)
        return format_html('<a href="{}">{}</a> {}', url, row.stock, words)

    @admin.display(description=gettext_lazy("seen"))
    def shown_seen(self, row: Any) -> SafeString:
        """什么时候,哪次运行看到的。"""
        if row.run_id is None:
            return format_html("{}", moment(row.seen_at))
        url, name = run_url(row.run_id), _("run %d") % row.run_id
        return format_html('{} <a href="{}">{}</a>', moment(row.seen_at), url, name)

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
        context = {"title": _(self.heading)}
        return super().changelist_view(request, context | (extra_context or {}))


@admin.register(Revision)
class RevisionAdmin(OfStocks):
    """改正的 K 线:旧的值,新的值。"""

    heading = gettext_noop("Revisions")
    list_display = ("shown_stock", "shown_time", "shown_change", "shown_seen")
    list_filter = (MarketFilter, PeriodFilter, StockFilter, RunFilter)
    fields = ("shown_stock", "shown_time", "shown_change", "shown_seen")

    @admin.display(description=gettext_lazy("time"))
    def shown_time(self, row: Revision) -> str:
        """交易日;分钟线到分钟。"""
        period = PERIODS.get(row.period)
        intraday = period is not None and period.intraday
        return moment(row.time) if intraday else f"{row.time:%Y-%m-%d}"

    @admin.display(description=gettext_lazy("change"))
    def shown_change(self, row: Revision) -> SafeString | str:
        """变了的值,从什么变成什么。"""
        if row.new is None:
            return _("taken back by the provider")
        changed = [
            (_(name), old, row.new.get(name))
            for name, old in row.old.items()
            if old != row.new.get(name)
        ]
        return format_html_join("; ", "{} {} → {}", changed)


@admin.register(Restatement)
class RestatementAdmin(WithActivity, OfStocks):
    """历史变了的序列:整个重新取的,和等人决定的。"""

    heading = gettext_noop("Restatements")
    list_display = (
        *("shown_stock", "state", "shown_prices", "shown_volumes", "shown_reason"),
        *("shown_seen", "shown_end"),
    )
    list_filter = (StateFilter, MarketFilter, PeriodFilter, StockFilter, RunFilter)
    fields = list_display
    actions = ("keep", "take_over")

    @admin.display(description=gettext_lazy("prices"))
    def shown_prices(self, row: Restatement) -> str:
        """价格的倍数。"""
        return _factor(row.price_factor)

    @admin.display(description=gettext_lazy("volumes"))
    def shown_volumes(self, row: Restatement) -> str:
        """成交量的倍数。"""
        return _factor(row.volume_factor)

    @admin.display(description=gettext_lazy("reason"))
    def shown_reason(self, row: Restatement) -> str:
        """为什么要人决定,或者为什么还没有换上去。"""
        return words_of(row.reason) or "–"

    @admin.display(description=gettext_lazy("ended"))
    def shown_end(self, row: Restatement) -> str:
        """什么时候了结的,谁决定的。"""
        ended = moment(row.ended_at) if row.ended_at else "–"
        return f"{ended} {row.decided_by}".strip()

    @admin.action(
        description=gettext_lazy("Keep what is stored, and go on from there"),
        permissions=["run"],
    )
    def keep(self, request: HttpRequest, queryset: RestatementQuerySet) -> None:
        """保留存下的。"""
        by, at = request.user.get_username(), services.now()
        self._decide(
            request,
            "history.kept",
            lambda: services.keep_history(queryset, by=by, at=at),
        )

    @admin.action(
        description=gettext_lazy("Take over what the provider has now"),
        permissions=["run"],
    )
    def take_over(self, request: HttpRequest, queryset: RestatementQuerySet) -> None:
        """换成服务商现在给的。"""
        by = request.user.get_username()
        self._decide(
            request,
            "history.taken_over",
            lambda: services.take_over_history(queryset, by=by),
        )

    def _decide(
        self, request: HttpRequest, event: str, decide: Callable[[], int]
    ) -> None:
        count = decide()
        if not count:
            text = _("None of these waits for a decision.")
            self.message_user(request, text, messages.WARNING)
            return
        logger.info("%s: %d by %s", event, count, request.user, extra={"event": event})
        text = ngettext("%d series is decided.", "%d series are decided.", count)
        self.message_user(request, text % count, messages.SUCCESS)


def corrections_links(stock: Stock) -> SafeString | str:
    """一只股票改正过几根、换过几次口径,点了就是它们的列表。"""
    links = [
        (f"{reverse(page)}?{urlencode({'stock': stock.pk})}", f"{count:,}", name)
        for page, name, model in (
            ("admin:sync_revision_changelist", _("revisions"), Revision),
            ("admin:sync_restatement_changelist", _("restatements"), Restatement),
        )
        if (count := _count(model, stock))
    ]
    return format_html_join(", ", '<a href="{}">{} {}</a>', links) or "0"


def _count(model: type[Model], stock: Stock) -> int:
    return QuerySet(model).filter(stock=stock).count()


def _factor(factor: Any) -> str:
    return "–" if factor is None else f"× {factor.normalize():f}"
