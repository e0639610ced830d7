"""大表的行数:只数到一万。"""

from __future__ import annotations

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

from ..models.counting import bounded_count

__all__ = ["BoundedPaginator", "bounded_count"]


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """只翻前一万行;再往后的要用筛选。"""

    @cached_property
    def count(self) -> int:
        """数到一万为止。"""
        assert isinstance(self.object_list, QuerySet)
        return bounded_count(self.object_list)
