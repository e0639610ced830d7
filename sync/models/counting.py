"""按列计数的查询集,几个表都用。"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from django.db import models
from django.db.models import Count

Row = TypeVar("Row", bound=models.Model)
BOUND = 10_000


class AtLeast(int):
    """数到头还没数完;显示成 10,000+。

    Django's own templates print a count in five places, so the number itself knows.
    """

    def __str__(self) -> str:
        return f"{int(self):,}+"


def bounded_count(rows: models.QuerySet[Any]) -> int:
    """有多少行;超过一万时是 AtLeast,不再数下去。"""
    found = rows.order_by()[: BOUND + 1].count()
    return AtLeast(BOUND) if found > BOUND else found


def added(counts: Iterable[int]) -> int:
    """把几个数加起来;其中有没有数完的,和也是 AtLeast。"""
    known = list(counts)
    least = any(isinstance(count, AtLeast) for count in known)
    return AtLeast(sum(known)) if least else sum(known)


class CountingQuerySet(models.QuerySet[Row]):
    """能按列的值数行的查询集。"""

    def count_by(self, *columns: str) -> dict[Any, int]:
        """这些列的每种值有几行,多的在前;一列时键就是值,几列时是元组。

        One query, and no row is loaded. With the columns in an index's own order it is
        read through once and nothing is sorted.
        """
        rows = self.order_by().values_list(*columns).annotate(rows=Count("pk"))
        single = len(columns) == 1
        counted = [(row[0] if single else row[:-1], row[-1]) for row in rows]
        return dict(sorted(counted, key=lambda pair: -pair[1]))
