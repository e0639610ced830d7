"""列表上方的筛选:一个筛选一行,每个选择是一个带行数的标签。

They take the place of Django's sidebar on every list. A filter tells how many rows each
of its choices has by a method `counts(changelist)`, which returns them by the value
that stands in the address; without one its chips bear no figures. What a large table
cannot count quickly it should bound, or leave out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import ListFilter, SimpleListFilter
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, QuerySet

# A filter of more choices is folded behind its name.
LONG = 9
TEMPLATE = ListFilter.template


@dataclass(frozen=True, slots=True)
class Chip:
    """一个选择:写什么,链接到哪里,选了没有,有多少行(None 是没有数)。"""

    label: Any
    link: str
    selected: bool
    count: int | None = None


@dataclass(frozen=True, slots=True)
class ChipRow:
    """一个筛选的那一行。

    `own` is the filter itself where it has a template of its own, which shows it then.
    """

    title: str
    chips: list[Chip]
    own: Any = None

    @property
    def folded(self) -> bool:
        """选择太多,折在名字后面。"""
        return len(self.chips) > LONG

    @property
    def chosen(self) -> Any:
        """选了的那个写着什么;没有筛选就是空的。"""
        labels = (chip.label for chip in self.chips[1:] if chip.selected)
        return next(labels, "")


def chip_rows(changelist: ChangeList) -> list[ChipRow]:
    """把列表的每个筛选写成一行;没有别的可选的不写。"""
    # Counting makes the list build its filters anew, so these are kept aside.
    specs = list(changelist.filter_specs)
    rows = (_row(spec, changelist) for spec in specs)
    return [row for row in rows if row.own or len(row.chips) > 1]


def without(changelist: ChangeList, spec: ListFilter) -> QuerySet[Any]:
    """别的筛选都算上,只有这个不算,留下的行。"""
    return changelist.get_queryset(
        spec.request, exclude_parameters=spec.expected_parameters()
    )


def column_counts(
    changelist: ChangeList, spec: ListFilter, column: str
) -> dict[str, int]:
    """按一列数行;一次查询,只给不大的表用。"""
    rows = without(changelist, spec).order_by().values_list(column)
    return {str(value): count for value, count in rows.annotate(Count("pk"))}


def _row(spec: Any, changelist: ChangeList) -> ChipRow:
    title = str(spec.title)
    if spec.template != TEMPLATE:
        return ChipRow(title, [], own=spec)
    counts = spec.counts(changelist) if hasattr(spec, "counts") else None
    return ChipRow(title, list(_chips(spec, changelist, counts)))


def _chips(
    spec: Any, changelist: ChangeList, counts: Mapping[str, int] | None
) -> Iterator[Chip]:
    choices = list(spec.choices(changelist))
    values: list[str | None] = [None] * len(choices)
    if isinstance(spec, SimpleListFilter):
        # The first one takes the filter away; the others are its lookups, in order.
        values[1:] = [str(value) for value, _label in spec.lookup_choices]
    for value, choice in zip(values, choices, strict=True):
        count = None if counts is None or value is None else counts.get(value, 0)
        yield Chip(choice["display"], choice["query_string"], choice["selected"], count)
