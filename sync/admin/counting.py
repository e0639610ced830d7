"""大表的行数:只数到一万。"""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

BOUND = 10_000


class AtLeast(int):
    """数到头还没数完;显示成 10,000+。

    Django's own templates print a count in five places, so the number itself knows.
    """

    def __str__(self) -> str:
        return f"{int(self):,}+"


def bounded_count(rows: QuerySet[Any]) -> int:
    """有多少行;超过一万时是 AtLeast,不再数下去。"""
    found = rows.order_by()[: BOUND + 1].count()
    return AtLeast(BOUND) if found > BOUND else found


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """只翻前一万行;再往后的要用筛选。"""

    @cached_property
    def count(self) -> int:
        """数到一万为止。"""
        assert isinstance(self.object_list, QuerySet)
        return bounded_count(self.object_list)
