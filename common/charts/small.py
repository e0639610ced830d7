"""一行或一格里的小图:堆叠条、日子条、柱、折线、量表、图例。"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from .svg import as_table, counted, drawing, element, percent, titled
from .values import WORDS, Bar, Cell, Part, State, Words

STRIP_STEP = 7  # pixels from one cell to the next; one of them is the gap
STRIP_HEIGHT = 20
BAR_STEP = 14
CAPTION_STEP = 64
CAPTION_HEIGHT = 16
LEAST_SHARE = 0.01  # one missing of 5,000 has to be seen


def stacked(parts: Sequence[Part], *, label: str, height: int = 10) -> SafeString:
    """画一条堆叠条,占满所在的宽度;什么都没有的画成「不知道」。

    A part that is not zero is at least one per cent wide.
    """
    shown = [part for part in parts if part.value > 0]
    listed = ", ".join(part.title for part in shown) or str(WORDS[State.UNKNOWN])
    return drawing(
        *(_stacked(shown) if shown else [_all_unknown()]),
        kind="stacked",
        label=f"{label}: {listed}",
        linked=any(part.url for part in shown),
        width="100%",
        height=height,
    )


def _stacked(parts: Sequence[Part]) -> Iterator[SafeString]:
    total = sum(part.value for part in parts)
    widths = [max(part.value / total, LEAST_SHARE) for part in parts]
    left, scale = 0.0, 1 / sum(widths)
    for part, width in zip(parts, widths, strict=True):
        box = _box(part.state, x=left * scale, width=width * scale)
        yield titled(part.title, part.url, box)
        left += width


def _all_unknown() -> SafeString:
    return titled(str(WORDS[State.UNKNOWN]), "", _box(State.UNKNOWN, x=0.0, width=1.0))


def strip(
    cells: Sequence[Cell], *, label: str, words: Words = WORDS, step: int = STRIP_STEP
) -> SafeString:
    """画一条日子条,一格一天,从旧到新。"""
    return drawing(
        *cell_boxes(cells, gap=1 / step),
        kind="strip",
        label=counted(label, (cell.state for cell in cells), words),
        linked=any(cell.url for cell in cells),
        width=len(cells) * step,
        height=STRIP_HEIGHT,
    )


def cell_boxes(cells: Sequence[Cell], *, gap: float) -> Iterator[SafeString]:
    """画一行格子,占满整个宽度。"""
    wide = 1 / max(len(cells), 1)
    for place, cell in enumerate(cells):
        x, width = place * wide, wide * (1 - gap)
        box = _box(cell.state, x=x, width=width)
        cross = [_cross(x, x + width)] if cell.crossed else []
        yield titled(cell.title, cell.url, box, *cross)


def _cross(left: float, right: float) -> SafeString:
    ends = [(left, right, "0", "100%"), (left, right, "100%", "0")]
    lines = (
        element("line", x1=percent(a), x2=percent(b), y1=top, y2=bottom)
        for a, b, top, bottom in ends
    )
    return element("g", *lines, class_="cross")


def bars(
    shown: Sequence[Bar], *, label: str, limit: float | None = None, height: int = 64
) -> SafeString:
    """画一排竖的柱,从旧到新;limit 是一条虚线,例如每天的额度。

    Followed by the same as a table, folded.
    """
    captions = CAPTION_HEIGHT if any(bar.caption for bar in shown) else 0
    step = CAPTION_STEP if captions else BAR_STEP
    top = max([bar.value for bar in shown] + [limit or 0]) or 1
    svg = drawing(
        *_bars(shown, top=top, height=height),
        *([_limit(limit / top, height)] if limit else []),
        kind="bars",
        label=label,
        linked=any(bar.url for bar in shown),
        width=max(len(shown), 1) * step,
        height=height + captions,
    )
    rows = ([bar.caption, bar.title] for bar in shown)
    heads = [label, ""]
    if not captions:
        return svg + as_table(heads[:1], ([title] for _caption, title in rows))
    return svg + as_table(heads, rows)


def columns(shown: Sequence[Bar], *, label: str, width: int, height: int) -> SafeString:
    """画一排很小的柱,从旧到新:放在表的一格里,没有说明也没有表。"""
    top = max((bar.value for bar in shown), default=0) or 1
    return drawing(
        element("title", label),
        element("rect", class_="track", width="100%", height="100%"),
        *_bars(shown, top=top, height=height),
        kind="columns",
        label=label,
        linked=False,
        width=width,
        height=height,
    )


def _bars(shown: Sequence[Bar], *, top: float, height: int) -> Iterator[SafeString]:
    wide = 1 / max(len(shown), 1)
    for place, bar in enumerate(shown):
        # What is not zero can be seen.
        tall = max(bar.value / top * height, 2.0) if bar.value > 0 else 0.0
        box = _box(
            bar.state,
            x=(place + 0.1) * wide,
            width=wide * 0.8,
            y=height - tall,
            height=tall,
        )
        # The whole column answers the mouse, however short its bar is.
        column = element(
            "rect",
            class_="hit",
            x=percent(place * wide),
            width=percent(wide),
            height="100%",
        )
        yield titled(
            bar.title, bar.url, column, box, *_caption(bar, place, wide, height)
        )


def _caption(bar: Bar, place: int, wide: float, height: int) -> list[SafeString]:
    if not bar.caption:
        return []
    middle = percent((place + 0.5) * wide)
    y = height + CAPTION_HEIGHT - 4
    return [element("text", bar.caption, x=middle, y=y, text_anchor="middle")]


def _limit(share: float, height: int) -> SafeString:
    y = max(height * (1 - share), 1.0)
    return element("line", class_="limit", x1="0", x2="100%", y1=y, y2=y)


def sparkline(
    values: Sequence[float | None],
    *,
    label: str,
    limit: float | None = None,
    width: int = 160,
    height: int = 32,
) -> SafeString:
    """画一条折线,从旧到新;None 的地方断开,limit 是一条虚线。

    A stylesheet may give it another size: the curve is stretched, its line is not.
    """
    known = [value for value in values if value is not None]
    top = max([*known, limit or 0.0, 0.0]) or 1.0
    return drawing(
        element("title", label),
        *(_lines(values, top=top, width=width, height=height)),
        *([_limit(limit / top, height)] if limit else []),
        kind="sparkline",
        label=label,
        linked=False,
        width=width,
        height=height,
        viewBox=f"0 0 {width} {height}",
        preserveAspectRatio="none",
    )


def _lines(
    values: Sequence[float | None], *, top: float, width: int, height: int
) -> Iterator[SafeString]:
    step = width / max(len(values) - 1, 1)
    placed = list(enumerate(values))
    for gone, piece in groupby(placed, key=lambda point: point[1] is None):
        points = [
            f"{place * step:.1f},{1 + (height - 2) * (1 - (value or 0) / top):.1f}"
            for place, value in piece
        ]
        if not gone:
            # A lone point is a line of no length: its round ends are seen.
            yield element(
                "polyline", points=" ".join(points * (1 + (len(points) == 1)))
            )


def gauge(
    value: float,
    of: float,
    *,
    label: str,
    state: State = State.BUSY,
    width: int | str = 72,
    height: int = 8,
) -> SafeString:
    """画一个小量表:用了多少,一共多少;of 是 0 的画成「不知道」。"""
    share = min(value / of, 1.0) if of > 0 else 0.0
    track = State.IDLE if of > 0 else State.UNKNOWN
    return drawing(
        element("title", label),
        _box(track, x=0.0, width=1.0),
        _box(state, x=0.0, width=share),
        kind="gauge",
        label=label,
        linked=False,
        width=width,
        height=height,
    )


def legend(words: Words = WORDS, *, crossed: str = "") -> SafeString:
    """写图例:每种颜色是什么意思;crossed 是打叉的意思,没有就不写。"""
    shown = [(state, word, False) for state, word in words.items()]
    if crossed:
        shown.append((State.IDLE, crossed, True))
    items = ((_swatch(state, cross=cross), word) for state, word, cross in shown)
    return format_html(
        '<ul class="chart-legend" aria-label="{}">{}</ul>',
        _("Legend"),
        format_html_join("", "<li>{} {}</li>", items),
    )


def _swatch(state: State, *, cross: bool) -> SafeString:
    box = _box(state, x=0.0, width=1.0)
    inside = [box, _cross(0.0, 1.0)] if cross else [box]
    return element(
        "svg", *inside, class_="plot", width=10, height=10, aria_hidden="true"
    )


def _box(
    state: State, *, x: float, width: float, y: float = 0.0, height: object = "100%"
) -> SafeString:
    return element(
        "rect",
        class_=state.value,
        x=percent(x),
        width=percent(width),
        y=y or None,
        height=height,
    )
