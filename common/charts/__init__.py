"""服务器画的 SVG 图:堆叠条、日子条、柱、热图、折线、时间轴、量表。

Plain functions that return a SafeString; everything they are given is escaped. They
need `static/stocksync/charts.css` and the hatching of `admin/_charts.html`, which the
base template has. No style attribute, no script: sizes are attributes of the SVG.

Read in this order: `values` (what is drawn), `svg` (how an element is written), then
`small` (one figure in a line or a cell) and `rows` (lanes and days over each other).
"""

from .rows import heatmap, timeline
from .small import bars, columns, gauge, legend, sparkline, stacked, strip
from .values import Bar, Cell, Lane, Mark, Part, Row, Span, State

__all__ = [
    "Bar",
    "Cell",
    "Lane",
    "Mark",
    "Part",
    "Row",
    "Span",
    "State",
    "bars",
    "columns",
    "gauge",
    "heatmap",
    "legend",
    "sparkline",
    "stacked",
    "strip",
    "timeline",
]
