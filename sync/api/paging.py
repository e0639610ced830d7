"""翻页:一百万行也不慢。"""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar

from django.core.cache import cache
from django.core.paginator import InvalidPage, Page, Paginator
from django.db.models import Model, QuerySet
from django.utils.functional import cached_property
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request

from .forms import MOST_ROWS, PageForm, checked
from .guard import Guarded

Row = TypeVar("Row", bound=Model)
MANY = 10_000
REMEMBERED = 10  # seconds


def counted(rows: QuerySet[Any]) -> int:
    """有多少行。

    Exact. A count beyond 10,000 takes a while and is remembered for ten seconds.
    """
    rows = rows.order_by()
    key = "api-count-" + hashlib.sha256(str(rows.query).encode()).hexdigest()
    known: int | None = cache.get(key)
    if known is not None:
        return known
    count = rows.count()
    if count > MANY:
        cache.set(key, count, REMEMBERED)
    return count


class DeferredPaginator(Paginator):  # type: ignore[type-arg]
    """先在索引里找这一页的编号,再读它们的行。

    OFFSET reads all that it skips; in the index alone that is cheap.
    """

    @cached_property
    def count(self) -> int:
        """有多少行。"""
        assert isinstance(self.object_list, QuerySet)
        return counted(self.object_list)

    def page(self, number: int | str) -> Page[Any]:
        """一页;没有这一页时抛出 InvalidPage。"""
        rows = self.object_list
        assert isinstance(rows, QuerySet)
        number = self.validate_number(number)
        if not self.count:
            return Page([], number, self)
        first = (number - 1) * self.per_page
        ids = list(rows.values_list("pk", flat=True)[first : first + self.per_page])
        return Page(rows.filter(pk__in=ids), number, self)


class Pages(PageNumberPagination):
    """`page` 和 `size`;不对的是 400,没有的一页是 404。"""

    page_size = 20
    page_size_query_param = "size"
    max_page_size = MOST_ROWS

    def paginate_queryset(
        self, queryset: Any, request: Request, view: Any = None
    ) -> list[Any]:
        """这一页的行。"""
        paginator = DeferredPaginator(queryset, view.wanted["size"])
        self.request = request
        try:
            self.page = paginator.page(view.wanted["page"])
        except InvalidPage:
            last = paginator.num_pages
            raise NotFound(f"There is no such page: the last is {last}.") from None
        return list(self.page)


class Listing(Guarded, ListAPIView[Row]):
    """一页一页的列表。"""

    form: type[PageForm]
    pagination_class = Pages

    @cached_property
    def wanted(self) -> dict[str, Any]:
        """请求要的值,检查过;不对的是 400。"""
        return checked(self.form, self.request.query_params)
