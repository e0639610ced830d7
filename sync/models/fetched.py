"""真正取了哪些区间、为什么:按原因合起来。"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from ..engine import coverage
from ..engine.ports import Task, Window


class Why(TextChoices):
    """为什么要取一个区间。"""

    NEW = "new", _("no data yet")
    NEWER = "newer", _("newer than what is stored")
    OLDER = "older", _("older than what is stored")
    HOLE = "hole", _("recorded as missing")
    AGAIN = "again", _("stored already, downloaded again")


@dataclass(frozen=True, slots=True)
class Fetched:
    """出于同一个原因取的区间合起来:从哪天到哪天,多少个区间。"""

    why: Why
    window: Window
    windows: int


class FetchedWindows:
    """按原因合起来的区间;能变成 JSON 存进运行,也能读回来接着加。"""

    def __init__(self, *, force: bool = False) -> None:
        self._force = force
        self._found: dict[Why, tuple[Window, int]] = {}

    def add(self, task: Task, *windows: Window, count: int = 1) -> None:
        """加上一个任务的几个区间,每个算 `count` 个。"""
        for window in windows:
            self._include(self._why(window, task), window, count)

    def load(self, saved: Any) -> Self:
        """加上存着的;看不懂的不算。"""
        for why, (start, end, count) in _readable(saved):
            self._include(why, Window(start, end), count)
        return self

    def saved(self) -> dict[str, Any]:
        """变成存进数据库的样子。"""
        return {
            why.value: [str(window.start), str(window.end), count]
            for why, (window, count) in self._found.items()
        }

    def rows(self) -> list[Fetched]:
        """列出各种原因的区间。"""
        return [Fetched(why, *self._found[why]) for why in Why if why in self._found]

    def _include(self, why: Why, window: Window, count: int) -> None:
        seen, counted = self._found.get(why, (window, 0))
        if not (seen.start <= window.start and window.end <= seen.end):
            seen = coverage.hull([seen, window])
        self._found[why] = seen, counted + count

    def _why(self, window: Window, task: Task) -> Why:
        covered = task.covered
        if covered is None:
            return Why.NEW
        if window.start > covered.end:
            return Why.NEWER
        if window.end < covered.start:
            return Why.OLDER
        return Why.AGAIN if self._force or task.anew else Why.HOLE


def merged(saved: Iterable[Any]) -> dict[str, Any]:
    """把几份存着的合成一份。"""
    found = FetchedWindows()
    for one in saved:
        found.load(one)
    return found.saved()


def _readable(saved: Any) -> Iterable[tuple[Why, tuple[date, date, int]]]:
    for why, row in saved.items() if isinstance(saved, Mapping) else ():
        try:
            start, end, count = row
            dates = date.fromisoformat(start), date.fromisoformat(end)
            yield Why(why), (*dates, int(count))
        except (ValueError, TypeError):
            continue  # another version's, or a person's
