"""每个管理页面的底:地址里只认自己的筛选,没有资格的动作是 403。"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.db import DataError
from django.http import HttpRequest, HttpResponse

LARGEST_KEY = 2**63 - 1
# What Django's own filters over a column put into the address.
FORMS = ("", "__exact", "__id__exact", "__isnull", "__gte", "__lt")


class StrictAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """列表页:不认识的筛选是 400,太大的值是「没有这样的筛选」,不能做的动作是 403。

    Django itself takes any lookup on any column of the model from the address, also
    `__regex`, which SQLite runs in Python, and columns that no page shows.
    `linked` names what pages of ours put into the address beside the filters.
    """

    linked: tuple[str, ...] = ()

    def lookup_allowed(
        self, lookup: str, value: str, request: HttpRequest | None = None
    ) -> bool:
        """只有 `list_filter` 和我们自己的链接用到的可以。"""
        if lookup in self.linked:
            return True
        assert request is not None
        filters = self.get_list_filter(request)
        return any(lookup in _asked_by(each) for each in filters)

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """算出列表;数据库装不下的值和别的不认识的值一样对待。"""
        try:
            return super().get_changelist_instance(request)
        except (OverflowError, ValueError, DataError) as error:
            raise IncorrectLookupParameters from error

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """提交了自己不能做的动作时返回 403,其余照旧。

        Django itself would just show the list again, as if there were nothing to tell.
        """
        if request.method == "POST":
            actions, chosen = self.get_actions(request), request.POST.get("action")
            if not actions or (chosen and chosen not in actions):
                raise PermissionDenied
            # Django would show the list, as an answer to a POST that nobody sends.
            if not {"index", ACTION_CHECKBOX_NAME} & request.POST.keys():
                raise BadRequest("no action")
            self._check_chosen(request.POST.getlist(ACTION_CHECKBOX_NAME))
        return super().changelist_view(request, extra_context)

    def _check_chosen(self, keys: Iterable[str]) -> None:
        """A row that cannot be is a bad request, and no error of the server."""
        key = self.opts.pk
        assert key is not None
        for text in keys:
            try:
                value = key.to_python(text)
            except ValidationError as error:
                raise BadRequest("no such row") from error
            if isinstance(value, int) and not 0 <= value <= LARGEST_KEY:
                raise BadRequest("no such row")


def _asked_by(spec: Any) -> Iterable[str | None]:
    """The names in the address that belong to one entry of `list_filter`."""
    if isinstance(spec, type):
        return getattr(spec, "names", None) or (getattr(spec, "parameter_name", None),)
    column = spec[0] if isinstance(spec, tuple | list) else spec
    return [f"{column}{form}" for form in FORMS]
