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
    """这个筛选留下一列等于所选值的行;`-` 表示空。"""

    column = ""

    def known(self) -> Choices:
        """列出可以选的值和它们的名字。"""
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """列出可以选的值;地址里的别的值也列在后面,否则看不出选了什么。"""
        choices = self.known()
        asked = request.GET.get(self.parameter_name or "")
        if asked and asked not in dict(choices):
            choices.append((asked, asked))
        return choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """留下这一列等于所选值的行。"""
        value = self.value()
        if value is None:
            return queryset
        return queryset.filter(**{self.column: "" if value == BLANK else value})


class DeletedFilter(admin.SimpleListFilter):
    """这个筛选平常只留下没有删除的行。"""

    title = gettext_lazy("deleted")
    parameter_name = "deleted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """列出没有删除的之外还可以看的两种。"""
        return [("1", _("Deleted")), ("all", _("All"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """按是否删除筛选;不认识的值是错误,否则会让动作碰到全部的行。"""
        value = self.value()
        if value not in {None, "1", "all"}:
            raise IncorrectLookupParameters
        return queryset if value == "all" else queryset.filter(deleted=value == "1")

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """第一个选项叫「没有删除的」,因为 Django 总把它叫作「全部」。"""
        first, *others = super().choices(changelist)
        yield {**first, "display": _("Not deleted")}
        yield from others
