"""失败列表的筛选。

None of them asks the whole table for its values. A value that makes no sense is an
error: ignored, it would let an action on "all that match" touch everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.admin.filters import Choices, ColumnFilter
from sync import services
from sync.engine.periods import PERIODS
from sync.models import FailureStatus, SyncFailure
from sync.models.failures import SyncFailureQuerySet

from ..display import period_words
from .matrix import shown_count
from .reasons import NO_REASON, REASONS, reason_label
from .rows import cells_of, outlooks_of

Rows = QuerySet[SyncFailure]
DAY = timedelta(days=1)
COUNTED_BY = ("market", "reason")  # a cell knows its own


class ActsFilter(admin.SimpleListFilter):
    """按前景:谁要动手。"""

    title = gettext_lazy("outlook")
    parameter_name = "acts"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """列出四种前景。"""
        return [(str(value), str(label)) for value, label in services.Acts.choices]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        """筛选;不是前景就是错误。"""
        value = self.value()
        if value is None:
            return queryset
        if value not in services.Acts.values:
            raise IncorrectLookupParameters
        rows = cast(SyncFailureQuerySet, queryset)
        return outlooks_of(request).filtered(rows, services.Acts(value))

    def counts(self, changelist: ChangeList) -> dict[str, int]:
        """每种前景有多少;另有按周期、日期等的筛选时不数。"""
        others = changelist.params.keys() - {self.parameter_name, "p", *COUNTED_BY}
        if others or changelist.query:
            return {}
        cells = [
            (cell, acts)
            for cell, acts in cells_of(self.request)
            if self._asked(cell.market, "market") and self._asked(cell.reason, "reason")
        ]
        found = outlooks_of(self.request).counts(cells)
        return {
            acts.value: shown_count(count, more=acts in found.more)
            for acts, count in found.counts.items()
        }

    def _asked(self, value: str, name: str) -> bool:
        wanted = self.request.GET.get(name)
        return wanted is None or wanted == (value or NO_REASON)


class StatusFilter(ColumnFilter):
    """按状态筛选失败记录;前景说得更细,所以只有从别的页面来才会出现。"""

    title = gettext_lazy("status")
    parameter_name = column = "status"

    def known(self) -> Choices:
        """列出三种状态。"""
        return [(str(value), str(label)) for value, label in FailureStatus.choices]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """只说选了什么。"""
        asked = request.GET.get(self.parameter_name)
        return [(asked, dict(self.known()).get(asked, asked))] if asked else []

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        """筛选;不是状态就是错误。"""
        if self.value() not in {None, *map(str, FailureStatus.values)}:
            raise IncorrectLookupParameters
        return super().queryset(request, queryset)


class ReasonFilter(ColumnFilter):
    """按原因的种类。"""

    title = gettext_lazy("kind of reason")
    parameter_name = "reason"
    column = "reason_class"

    def known(self) -> Choices:
        """我们自己记录的种类,和没有种类的。"""
        labels = [(reason, str(label)) for reason, label in REASONS.items()]
        return [*labels, (NO_REASON, reason_label(""))]


class MarketFilter(ColumnFilter):
    """按市场筛选失败记录。"""

    title = gettext_lazy("market")
    parameter_name = column = "market"

    def known(self) -> Choices:
        """失败里有的市场:从索引里跳着读,不看每一行。"""
        rows = SyncFailure.objects.order_by("market")
        found = rows.values_list("market", flat=True).distinct()
        return [(market or NO_REASON, market or _("unknown")) for market in found]


class PeriodFilter(ColumnFilter):
    """按周期筛选失败记录。"""

    title = gettext_lazy("period")
    parameter_name = column = "period"

    def known(self) -> Choices:
        """列出所有周期。"""
        return [(period, period_words(period)) for period in PERIODS]


class RunFilter(ColumnFilter):
    """按运行;只有从运行的页面来才会出现。"""

    title = gettext_lazy("run")
    parameter_name = "run"
    column = "run_id"

    def known(self) -> Choices:
        """没有可以选的。"""
        return []

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        """筛选;不是数字就是错误。"""
        value = self.value()
        if value is not None and not (value.isascii() and value.isdigit()):
            raise IncorrectLookupParameters
        return super().queryset(request, queryset)


class RecordedByFilter(RunFilter):
    """按记录它的运行,后来补拉它的不算;只有从运行的页面来才会出现。"""

    title = gettext_lazy("recorded by run")
    parameter_name = "recorded_by"
    column = "recorded_run_id"


class RecordedAsFilter(ReasonFilter):
    """按记录时的原因,后来的补拉可能换了;只有从运行的页面来才会出现。"""

    title = gettext_lazy("recorded as")
    parameter_name = "recorded_as"
    column = "recorded_reason"

    def known(self) -> Choices:
        """没有可以选的。"""
        return []

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """只说选了什么。"""
        asked = request.GET.get(self.parameter_name)
        return (
            [(asked, reason_label("" if asked == NO_REASON else asked))]
            if asked
            else []
        )


class RecordedFilter(admin.ListFilter):
    """按记录的日期:几个常用的,或者从哪天到哪天(头尾都含)。"""

    title = gettext_lazy("date recorded")
    template = "admin/sync/syncfailure/recorded_filter.html"
    names = ("since", "until")

    def __init__(
        self,
        request: HttpRequest,
        params: dict[str, Any],
        model: type[SyncFailure],
        model_admin: Any,
    ) -> None:
        super().__init__(request, params, model, model_admin)
        for name in self.names:
            if name in params:
                self.used_parameters[name] = params.pop(name)[-1]
        self.others: dict[str, str] = {}

    def has_output(self) -> bool:
        """这个筛选总是显示。"""
        return True

    def expected_parameters(self) -> list[str | None]:
        """地址里的名字。"""
        return list(self.names)

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        """留下这段日期里记录的。"""
        if since := self._day("since"):
            queryset = queryset.filter(create_time__gte=_midnight(since))
        if until := self._day("until"):
            queryset = queryset.filter(create_time__lt=_midnight(until + DAY))
        return queryset

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        """列出常用的几段日期。"""
        params = changelist.params.items()
        self.others = {k: v for k, v in params if k not in {*self.names, "p"}}
        today = timezone.localdate()
        for label, days in ((_("Any date"), 0), (_("Today"), 1), (_("7 days"), 7)):
            since = {"since": str(today - DAY * (days - 1))} if days else {}
            yield {
                "selected": self.used_parameters == since,
                "query_string": changelist.get_query_string(since, list(self.names)),
                "display": label,
            }

    def _day(self, name: str) -> date | None:
        text = str(self.used_parameters.get(name, ""))
        if not text:
            return None
        try:
            day = date.fromisoformat(text)
            day + DAY  # the last day of the calendar has no next
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters from error
        return day


def _midnight(day: date) -> datetime:
    zone = timezone.get_current_timezone() or UTC
    return datetime.combine(day, time.min, zone)
