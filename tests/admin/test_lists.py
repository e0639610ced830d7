"""每个列表都有的:筛选标签和带列名的格子。"""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.admin.views.main import ChangeList
from django.urls import reverse

from common.admin.chips import ChipRow, chip_rows, column_counts
from common.admin.filters import ColumnFilter
from common.admin.tags import labelled

from .people import failure, text, vera

FAILURES = reverse("admin:sync_syncfailure_changelist")
HEADERS = [
    {"text": "<input>", "class_attrib": ' class="action-checkbox-column"'},
    {"text": 'say "hi"', "class_attrib": ""},
]


def test_a_cell_names_its_column_and_the_checkbox_does_not() -> None:
    box, cell = '<td class="action-checkbox">x</td>', '<td class="a">1 > 0</td>'

    shown = labelled([box, cell], HEADERS)

    named = '<td class="a" data-label="Say &quot;hi&quot;">1 > 0</td>'
    assert shown == [box, named]


@pytest.mark.django_db
def test_each_cell_of_a_list_names_its_column() -> None:
    failure("700")

    page = text(vera().get(FAILURES))

    cells = re.findall(r"<td[^>]*>", page.partition('id="result_list"')[2])
    assert cells
    assert all('data-label="' in cell for cell in cells)


@pytest.mark.django_db
def test_filters_are_chips_and_the_chosen_one_is_marked() -> None:
    failure("700")

    page = text(vera().get(FAILURES, {"status": "0", "market": "HK"}))

    current = re.findall(r'aria-current="true">([^<]+)</a>', page)
    assert current == ["All", "waiting", "All", "HK", "All"]  # who acts, status, …
    assert '<a class="chip clear" href="?">' in page
    assert "changelist-filter" not in page


def a_filter(values: list[str], *, counts: Any = None) -> Any:
    class Filter(ColumnFilter):
        title, parameter_name, column = "kind", "kind", "kind"

        def known(self) -> list[tuple[str, str]]:
            return [(value, value.upper()) for value in values]

    request = SimpleNamespace(GET={})
    made = Filter(request, {"kind": ["b"]}, None, None)  # type: ignore[arg-type]
    if counts is not None:
        made.counts = lambda _changelist: counts  # type: ignore[attr-defined]
    return made


def rows_of(spec: Any) -> list[ChipRow]:
    changelist: Any = SimpleNamespace(
        filter_specs=[spec],
        get_query_string=lambda *_new, **_changes: "?",
        add_facets=False,
    )
    return chip_rows(changelist)


def test_a_choice_has_the_count_that_its_filter_tells() -> None:
    [row] = rows_of(a_filter(["a", "b"], counts={"a": 3}))

    assert [(chip.label, chip.count) for chip in row.chips[1:]] == [("A", 3), ("B", 0)]
    assert row.chosen == "B"
    assert not row.folded


def test_a_filter_that_tells_none_has_chips_without_counts() -> None:
    [row] = rows_of(a_filter(["a"]))

    assert {chip.count for chip in row.chips} == {None}


def test_a_filter_of_many_choices_is_folded() -> None:
    [row] = rows_of(a_filter([str(number) for number in range(20)]))

    assert row.folded


@pytest.mark.django_db
def test_counts_of_a_column_leave_out_the_filter_itself() -> None:
    for code, status, market in (("1", 0, "HK"), ("2", 1, "HK"), ("3", 1, "US")):
        failure(code, status=status, market=market)
    page = vera().get(FAILURES, {"status": "0", "market": "HK"})
    changelist: ChangeList = page.context["cl"]
    spec = next(
        spec
        for spec in changelist.filter_specs
        if spec.expected_parameters() == ["status"]
    )

    assert column_counts(changelist, spec, "status") == {"0": 1, "1": 1}
