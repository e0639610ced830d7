"""图里画的东西:状态的颜色、一段、一天、一根柱、一条通道。"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy


class State(StrEnum):
    """全站只有这一套状态颜色;UNKNOWN 画成斜线,表示不知道。

    The value is the CSS class of `charts.css`.
    """

    OK = "ok"
    BUSY = "busy"
    WARN = "warn"
    BAD = "bad"
    IDLE = "idle"
    UNKNOWN = "unknown"


Words: TypeAlias = Mapping[State, str | Promise]


WORDS: Words = {
    State.OK: gettext_lazy("complete"),
    State.BUSY: gettext_lazy("in progress"),
    State.WARN: gettext_lazy("partial"),
    State.BAD: gettext_lazy("failed"),
    State.IDLE: gettext_lazy("nothing due"),
    State.UNKNOWN: gettext_lazy("not known"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """堆叠条里的一段:多少,是什么。"""

    value: float
    state: State
    title: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """日子条或热图里的一格;crossed 画上叉,表示日历存疑。"""

    state: State
    title: str
    url: str = ""
    crossed: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """一根竖的柱;caption 写在柱子下面,可以不写。"""

    value: float
    state: State
    title: str
    url: str = ""
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """横轴上的一个标记。

    `at` is a share of the width, from 0 to 1.
    """

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """热图的一行;每一行的格数要相同。"""

    label: str
    cells: Sequence[Cell]
    url: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """时间轴上的一段,起止都算在内。"""

    start: datetime
    end: datetime
    state: State
    title: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """时间轴的一条通道。"""

    label: str
    spans: Sequence[Span]
    url: str = ""
