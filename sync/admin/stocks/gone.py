"""没有了的股票:列表里的筛选,和页面上怎么说。"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.admin.display import moment
from sync.engine.silence import Nothing
from sync.models import SilentStock, Stock

from ..display import badge

KINDS = {
    Nothing.UNKNOWN: gettext_lazy("the provider does not know the code"),
    Nothing.EMPTY: gettext_lazy("the provider's answers are empty"),
    Nothing.OLD: gettext_lazy("the provider has old K-lines only"),
}


class GoneFilter(admin.SimpleListFilter):
    """这个筛选留下服务商还有的,或者不再有的股票。"""

    title = gettext_lazy("at the provider")
    parameter_name = "gone"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """列出还有的和没有了的。"""
        return [("0", _("There")), ("1", _("Gone"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """筛选;不认识的值是错误。"""
        value = self.value()
        if value not in {None, "0", "1"}:
            raise IncorrectLookupParameters
        if value is None:
            return queryset
        gone = Q(pk__in=Stock.objects.gone().order_by().values("pk"))
        return queryset.filter(gone if value == "1" else ~gone)


def gone_among(stocks: Iterable[Stock]) -> set[int]:
    """这些股票里没有了的。"""
    rows = SilentStock.objects.gone().filter(stock__in=list(stocks))
    return set(rows.values_list("stock_id", flat=True))


def state(stock: Stock) -> SafeString:
    """在不在我们的列表里;服务商什么时候起没有了,为什么,什么时候再问。"""
    if stock.deleted:
        return badge("", _("deleted"))
    row = SilentStock.objects.gone().filter(stock=stock).first()
    if row is None:
        return badge("", _("listed"))
    said = _("since %(since)s: %(why)s, %(answers)d times; asked again after %(next)s")
    why = said % {
        "since": moment(row.gone_at),
        "why": KINDS[Nothing(row.kind)],
        "answers": row.answers,
        "next": moment(row.asked_next),
    }
    return format_html('{} <span class="quiet">{}</span>', badge("", _("gone")), why)
