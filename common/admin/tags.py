"""列表模板用的标签:`{% load lists %}`。"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from django import template
from django.contrib.admin.views.main import ChangeList
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst

from .chips import chip_rows

register = template.Library()


@register.inclusion_tag("admin/chips.html")
def chips(changelist: ChangeList) -> dict[str, Any]:
    """写出列表的筛选标签。"""
    return {"rows": chip_rows(changelist), "cl": changelist}


@register.filter
def labelled(cells: Sequence[str], headers: Sequence[dict[str, Any]]) -> list[str]:
    """给一行的每一格写上它那一列的名字,手机上一行是一张卡片,要在格子里说。

    `cells` are Django's own, each a whole <td> or <th>.
    """
    # A form's row may have a cell more than there are columns.
    return [
        _labelled(str(cell), header)
        for cell, header in zip_longest(cells, headers[: len(cells)])
    ]


def _labelled(cell: str, header: dict[str, Any] | None) -> SafeString:
    if header is None or "action-checkbox" in str(header["class_attrib"]):
        return mark_safe(cell)  # noqa: S308 - a cell of Django's, escaped there
    label = format_html(' data-label="{}">', capfirst(str(header["text"])))
    # Django's tag bears a class and nothing else, so its first > ends it.
    return mark_safe(cell.replace(">", label, 1))  # noqa: S308 - the same
