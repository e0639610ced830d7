"""一行叠一行的图:热图(行 × 日子)和时间轴(通道 × 时间)。"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from .small import cell_boxes
from .svg import as_table, counted, drawing, element, percent, titled
from .values import WORDS, Lane, Mark, Row, State, Words

HEAT_HEIGHT = 24
LANE_HEIGHT = 18
AXIS_HEIGHT = 14
LEAST_SPAN = 0.004  # a run of two seconds has to be seen in a day


def heatmap(
    rows: Sequence[Row], *, label: str, marks: Sequence[Mark] = (), words: Words = WORDS
) -> SafeString:
    """画热图:每行一条格子,横轴的标记在上面;后面是折起来的表,按状态数格子。"""
    shown = ((row.label, row.url, _heat_row(row, words)) for row in rows)
    return _grid(label, _axis(marks), shown, kind="heatmap") + _heat_table(rows, words)


def _heat_row(row: Row, words: Words) -> SafeString:
    return drawing(
        *cell_boxes(row.cells, gap=0.2),
        kind="strip",
        label=counted(row.label, (cell.state for cell in row.cells), words),
        linked=any(cell.url for cell in row.cells),
        width="100%",
        height=HEAT_HEIGHT,
    )


def _heat_table(rows: Sequence[Row], words: Words) -> SafeString:
    heads = ["", *(str(word) for word in words.values())]
    counts = ([row.label, *_by_state(row, words)] for row in rows)
    return as_table(heads, counts)


def _by_state(row: Row, words: Words) -> list[str]:
    states: list[State] = [cell.state for cell in row.cells]
    return [str(states.count(state)) for state in words]


def timeline(
    lanes: Sequence[Lane],
    *,
    label: str,
    start: datetime,
    end: datetime,
    marks: Sequence[Mark] = (),
) -> SafeString:
    """画时间轴:每条通道一行,从 start 到 end;后面是折起来的表。

    What begins before or ends after is cut; what lies outside is left out.
    """
    kept = [(lane, _inside(lane, start=start, end=end)) for lane in lanes]
    shown = ((lane.label, lane.url, _lane(lane.label, spans)) for lane, spans in kept)
    titles = (
        [lane.label, title] for lane, spans in kept for *_rest, title, _url in spans
    )
    grid = _grid(label, _axis(marks), shown, kind="timeline")
    return grid + as_table(["", label], titles)


def _inside(
    lane: Lane, *, start: datetime, end: datetime
) -> list[tuple[float, float, State, str, str]]:
    """把每一段换成宽度的份额。"""
    whole = (end - start).total_seconds()
    return [
        (
            max((span.start - start).total_seconds() / whole, 0.0),
            min((span.end - start).total_seconds() / whole, 1.0),
            span.state,
            span.title,
            span.url,
        )
        for span in lane.spans
        if span.end >= start and span.start <= end
    ]


def _lane(
    label: str, spans: Sequence[tuple[float, float, State, str, str]]
) -> SafeString:
    shapes = (
        titled(title, url, _span(left, right, state))
        for left, right, state, title, url in spans
    )
    track = element("rect", class_="track", width="100%", height="100%")
    return drawing(
        track,
        *shapes,
        kind="lane",
        label=f"{label}: {len(spans)}",
        linked=any(url for *_rest, url in spans),
        width="100%",
        height=LANE_HEIGHT,
    )


def _span(left: float, right: float, state: State) -> SafeString:
    width = max(right - left, LEAST_SPAN)
    return element(
        "rect",
        class_=state.value,
        x=percent(min(left, 1 - width)),
        width=percent(width),
        height="100%",
    )


def _axis(marks: Sequence[Mark]) -> SafeString:
    texts = (
        element("text", mark.text, x=percent(mark.at), y=AXIS_HEIGHT - 3)
        for mark in marks
    )
    return element(
        "svg",
        *texts,
        class_="plot plot-axis",
        width="100%",
        height=AXIS_HEIGHT,
        aria_hidden="true",
    )


def _grid(
    label: str,
    axis: SafeString,
    rows: Iterable[tuple[str, str, SafeString]],
    *,
    kind: str,
) -> SafeString:
    body = ((_heading(text, url), svg) for text, url, svg in rows)
    return format_html(
        '<div class="scroll" tabindex="0" role="region" aria-label="{}">'
        '<table class="chart-rows chart-{}"><thead><tr><th scope="col"><span class='
        '"chart-hidden">{}</span></th><td>{}</td></tr></thead><tbody>{}</tbody>'
        "</table></div>",
        label,
        kind,
        _("Row"),
        axis,
        format_html_join("", '<tr><th scope="row">{}</th><td>{}</td></tr>', body),
    )


def _heading(text: str, url: str) -> SafeString:
    return element("a", text, href=url) if url else format_html("{}", text)
