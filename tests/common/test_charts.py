"""What charts draw, in numbers, and that nothing they are given gets out unescaped."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from django.utils.safestring import SafeString

from common.charts import (
    Bar,
    Cell,
    Lane,
    Mark,
    Part,
    Row,
    Span,
    State,
    bars,
    gauge,
    heatmap,
    legend,
    sparkline,
    stacked,
    strip,
    timeline,
)

EVIL = "\"'><script>alert(1)</script>&"
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
CHARTS = Path(__file__).parents[2] / "static/stocksync/charts.css"
HOUR = timedelta(hours=1)
SPAN = Span(NOON, NOON + HOUR, State.OK, EVIL, EVIL)

EVERY = {
    "stacked": stacked([Part(1, State.OK, EVIL, EVIL)], label=EVIL),
    "strip": strip([Cell(State.BAD, EVIL, EVIL, crossed=True)], label=EVIL),
    "bars": bars([Bar(1, State.OK, EVIL, EVIL, EVIL)], label=EVIL, limit=2),
    "heatmap": heatmap(
        [Row(EVIL, [Cell(State.OK, EVIL, EVIL)], EVIL)],
        label=EVIL,
        marks=[Mark(0.5, EVIL)],
    ),
    "sparkline": sparkline([1, None, 2], label=EVIL, limit=3),
    "timeline": timeline(
        [Lane(EVIL, [SPAN], EVIL)],
        label=EVIL,
        start=NOON,
        end=NOON + 2 * HOUR,
        marks=[Mark(0, EVIL)],
    ),
    "gauge": gauge(3, 5, label=EVIL),
    "legend": legend({State.OK: EVIL}, crossed=EVIL),
}


def tree(drawn: SafeString) -> ET.Element:
    return ET.fromstring(f"<all>{drawn}</all>")


def boxes(drawn: SafeString, state: State) -> list[dict[str, str]]:
    return [box.attrib for box in tree(drawn).iter("rect") if box.get("class") == state]


@pytest.mark.parametrize("kind", EVERY)
def test_a_chart_escapes_all_it_is_given_and_asks_for_no_style(kind: str) -> None:
    found = tree(EVERY[kind])

    tags = {node.tag for node in found.iter()}
    names = {name for node in found.iter() for name in node.attrib}
    assert "script" not in tags
    assert not {name for name in names if name == "style" or name.startswith("on")}


@pytest.mark.parametrize("kind", [kind for kind in EVERY if kind != "legend"])
def test_every_drawing_has_a_name_for_who_cannot_see_it(kind: str) -> None:
    drawings = list(tree(EVERY[kind]).iter("svg"))

    unnamed = [svg for svg in drawings if not svg.get("aria-label")]
    assert drawings
    assert all(svg.get("aria-hidden") for svg in unnamed)


def test_a_drawing_with_links_is_no_image_since_those_hide_what_is_inside() -> None:
    linked = strip([Cell(State.OK, "Mon", "/mon")], label="HK")
    plain = strip([Cell(State.OK, "Mon")], label="HK")

    assert 'role="group"' in linked
    assert 'role="img"' in plain


def test_parts_share_the_width_and_the_smallest_can_still_be_seen() -> None:
    drawn = stacked(
        [
            Part(4_999, State.OK, "4,999 present"),
            Part(0, State.IDLE, "0 suspended"),
            Part(1, State.BAD, "1 missing"),
        ],
        label="HK",
    )

    assert [box["x"] for box in boxes(drawn, State.OK)] == ["0%"]
    assert float(boxes(drawn, State.BAD)[0]["width"].rstrip("%")) > 0.9
    assert boxes(drawn, State.IDLE) == []
    assert 'aria-label="HK: 4,999 present, 1 missing"' in drawn


def test_a_stack_of_nothing_is_not_known_rather_than_empty() -> None:
    assert boxes(stacked([], label="HK"), State.UNKNOWN)


def test_a_strip_counts_its_states_in_its_name() -> None:
    cells = [Cell(State.OK, "Mon"), Cell(State.UNKNOWN, "Tue"), Cell(State.OK, "Wed")]

    drawn = strip(cells, label="HK")

    assert 'aria-label="HK: 2 complete, 1 not known"' in drawn
    assert [title.text for title in tree(drawn).iter("title")] == ["Mon", "Tue", "Wed"]
    assert 'width="21"' in drawn


def test_a_day_whose_calendar_is_in_doubt_is_crossed() -> None:
    drawn = strip([Cell(State.OK, "Mon", crossed=True)], label="HK")

    assert len(list(tree(drawn).iter("line"))) == 2


def test_bars_stand_on_the_ground_under_their_limit() -> None:
    drawn = bars(
        [Bar(50, State.OK, "50"), Bar(0, State.OK, "0")], label="calls", limit=100
    )

    half, nothing = boxes(drawn, State.OK)
    assert (half["y"], half["height"]) == ("32", "32")
    assert nothing["height"] == "0"
    assert [line.get("y1") for line in tree(drawn).iter("line")] == ["1"]


def test_a_heatmap_has_its_numbers_as_a_table() -> None:
    cells = [Cell(State.OK, "Mon"), Cell(State.BAD, "Tue"), Cell(State.OK, "Wed")]

    drawn = heatmap([Row("HK", cells)], label="2026")

    texts = [cell.text for cell in tree(drawn).find(".//details").iter("td")]  # type: ignore[union-attr]
    assert texts == ["HK", "2", "0", "0", "1", "0", "0"]


def test_a_line_breaks_where_nothing_is_known() -> None:
    drawn = sparkline([1, 2, None, 3], label="rate", width=30, height=12)

    lines = [line.get("points") for line in tree(drawn).iter("polyline")]
    assert lines == ["0.0,7.7 10.0,4.3", "30.0,1.0 30.0,1.0"]


def test_a_timeline_cuts_what_leaves_it_and_drops_what_is_outside() -> None:
    spans = [
        Span(NOON - HOUR, NOON + HOUR, State.OK, "half"),
        Span(NOON - 3 * HOUR, NOON - 2 * HOUR, State.BAD, "before"),
        Span(NOON + 2 * HOUR, NOON + 2 * HOUR, State.WARN, "at the end"),
    ]

    drawn = timeline([Lane("HK", spans)], label="24 h", start=NOON, end=NOON + 2 * HOUR)

    assert [(box["x"], box["width"]) for box in boxes(drawn, State.OK)] == [
        ("0%", "50%")
    ]
    assert boxes(drawn, State.BAD) == []
    assert [box["x"] for box in boxes(drawn, State.WARN)] == ["99.6%"]


@pytest.mark.parametrize(
    ("value", "of", "filled", "track"),
    [
        (3, 5, "60%", State.IDLE),
        (9, 5, "100%", State.IDLE),
        (0, 0, "0%", State.UNKNOWN),
    ],
)
def test_a_gauge_is_never_more_than_full(
    value: int, of: int, filled: str, track: State
) -> None:
    drawn = gauge(value, of, label="calls")

    assert boxes(drawn, State.BUSY)[0]["width"] == filled
    assert boxes(drawn, track)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_state_has_a_colour(theme: str) -> None:
    sheet = CHARTS.read_text("utf-8")

    start = 0 if theme == "light" else sheet.index('data-theme="dark"')
    for state in set(State) - {State.UNKNOWN}:
        assert re.search(rf"--chart-{state}: #", sheet[start:]), state
        assert f".plot .{state} " in sheet
    assert "#chart-hatch" in sheet
