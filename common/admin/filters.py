"""几个列表都用的筛选。"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

Choices = list[tuple[str, str]]
BLANK = "-"  # in an address an empty value would be easily lost


class ColumnFilter(admin.SimpleListFilter):
    """一列等于一个值;`-` 表示空。"""

    column = ""

    def known(self) -> Choices:
        """可以选的值和名字。"""
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """可以选的;地址里有别的值也列出来。"""
        choices = self.known()
        asked = request.GET.get(self.parameter_name or "")
        if asked and asked not in dict(choices):
            choices.append((asked, asked))
        return choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """筛选。"""
        value = self.value()
        if value is None:
            return queryset
        return queryset.filter(**{self.column: "" if value == BLANK else value})


class DeletedFilter(admin.SimpleListFilter):
    """删除了的不显示,除非要看。"""

    title = gettext_lazy("deleted")
    parameter_name = "deleted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """除了平常的,还可以看什么。"""
        return [("1", _("Deleted")), ("all", _("All"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """筛选;不认识的值就是错误。"""
        value = self.value()
        if value not in {None, "1", "all"}:
            raise IncorrectLookupParameters
        return queryset if value == "all" else queryset.filter(deleted=value == "1")

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Django 的第一个总叫「全部」,这里是没有删除的。"""
        first, *others = super().choices(changelist)
        yield {**first, "display": _("Not deleted")}
        yield from others
