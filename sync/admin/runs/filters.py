"""运行的列表的筛选:状态、种类、谁要的;每个选择带着行数。"""

from __future__ import annotations

from django.contrib.admin.views.main import ChangeList
from django.utils.translation import gettext_lazy

from common.admin.chips import column_counts
from common.admin.filters import BLANK, Choices, ColumnFilter
from sync.models import RunKind, RunState, SyncRun

from ..display import asker

# The people of a shop are few; who else asked is found by the address.
MOST_PEOPLE = 20


class CountedFilter(ColumnFilter):
    """一列的筛选,每个值带着有几次运行。"""

    def counts(self, changelist: ChangeList) -> dict[str, int]:
        """数一数每个值有几次运行;别的筛选都算上。"""
        counted = column_counts(changelist, self, self.column)
        return {value or BLANK: count for value, count in counted.items()}


class StateFilter(CountedFilter):
    """按状态筛选。"""

    title = gettext_lazy("state")
    parameter_name = column = "state"

    def known(self) -> Choices:
        """列出全部状态。"""
        return [(state.value, str(state.label)) for state in RunState]


class KindFilter(CountedFilter):
    """按种类筛选。"""

    title = gettext_lazy("kind")
    parameter_name = column = "kind"

    def known(self) -> Choices:
        """列出全部种类。"""
        return [(kind.value, str(kind.label)) for kind in RunKind]


class ByFilter(CountedFilter):
    """按谁要的筛选。"""

    title = gettext_lazy("by")
    parameter_name = "by"
    column = "requested_by"

    def known(self) -> Choices:
        """列出要过运行的人,按名字排;没有名字的是命令行。"""
        names = SyncRun.objects.order_by().values_list("requested_by", flat=True)
        return [
            (name or BLANK, asker(name))
            for name in sorted(names.distinct())[:MOST_PEOPLE]
        ]
