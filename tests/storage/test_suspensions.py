"""停牌:从取到的一段里学到什么。"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from sync.engine.ports import BadBar, Part, Window
from sync.models import Stock, Suspension
from sync.storage.suspensions import learned, write_suspensions
from tests.rows import kline, stock
from tests.rows import task as task_of

pytestmark = pytest.mark.django_db
MARCH = [2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 16, 17, 18, 19, 20]
WHOLE = Window(date(2026, 3, 2), date(2026, 3, 20))
FINAL = date(2026, 3, 27)


def part(one: Stock, *, without: Iterable[int] = (), **others: Any) -> Part:
    task = replace(task_of(one), windows=(WHOLE,), final=FINAL)
    usual: dict[str, Any] = {"covered": WHOLE, "last": True}
    task = replace(task, **others.pop("task", {}))
    klines = [kline(day) for day in MARCH if day not in set(without)]
    return Part(task, klines, **(usual | others))


def spans(parts: list[Part]) -> list[tuple[str, int, int, str]]:
    codes = {one.task.stock_id: one.task.code for one in parts}
    return [
        (codes[one.stock_id], one.window.start.day, one.window.end.day, one.source)
        for one in learned(parts)
    ]


def test_days_without_a_bar_amid_bars_while_others_traded() -> None:
    parts = [part(stock("1")), part(stock("2"), without=[5, 6, 9])]

    assert spans(parts) == [("2", 5, 9, "gap")]


def test_one_day_is_no_suspension_but_a_hole_to_ask_for() -> None:
    parts = [part(stock("1")), part(stock("2"), without=[5]), part(stock("3"))]

    assert spans(parts) == []


def test_days_on_which_nobody_traded_are_a_holiday() -> None:
    parts = [part(stock(str(n)), without=[4, 5, 6]) for n in range(12)]

    assert spans(parts) == []


def test_days_that_may_come_late_are_not_judged() -> None:
    late: dict[str, Any] = {"task": {"final": date(2026, 3, 20)}, "covered": None}
    parts = [part(stock("1"), **late), part(stock("2"), without=[17, 18, 19], **late)]

    assert spans(parts) == []


def test_the_end_of_what_is_covered_goes_on_from_day_to_day() -> None:
    last = Window(date(2026, 3, 20), date(2026, 3, 20))
    going = {"covered": WHOLE, "windows": (last,)}
    parts = [
        part(stock("1")),
        part(stock("2"), without=[17, 18, 19, 20]),
        part(stock("3"), without=MARCH, covered=last, task=going),
    ]

    assert spans(parts) == [("2", 17, 20, "gap"), ("3", 20, 20, "gap")]


def test_days_before_the_listing_are_none_and_after_a_long_pause_are() -> None:
    before = {"covered": Window(date(2026, 1, 5), date(2026, 2, 27))}
    parts = [
        part(stock("1")),
        part(stock("2"), without=[2, 3, 4]),
        part(stock("3"), without=[2, 3, 4], task=before),
    ]

    assert spans(parts) == [("3", 2, 4, "gap")]


def test_a_rejected_bar_is_a_bar() -> None:
    bad = [BadBar("close above high", datetime(2026, 3, 6, tzinfo=UTC))]
    parts = [part(stock("1")), part(stock("2"), without=[5, 6, 9], rejected=bad)]

    assert spans(parts) == []


def test_what_the_provider_says_was_not_traded_is_one_at_once() -> None:
    idle = [datetime(2026, 3, 11, tzinfo=UTC)]

    assert spans([part(stock("1"), without=[11], idle=idle)]) == [
        ("1", 11, 11, "zeros")
    ]


def test_minutes_are_judged_by_the_day() -> None:
    def bars(one: Stock, days: Iterable[int]) -> Part:
        times = [datetime(2026, 3, day, 2, tzinfo=UTC) for day in days]
        klines = [kline(2)._replace(time=time) for time in times]
        task = replace(task_of(one, period="15m"), windows=(WHOLE,), final=FINAL)
        return Part(task, klines, WHOLE, last=True)

    parts = [bars(stock("1"), MARCH), bars(stock("2"), [2, 3, *MARCH[5:]])]

    assert spans(parts) == [("2", 4, 8, "gap")]


def test_spans_that_touch_become_one_and_a_second_writing_changes_nothing() -> None:
    one, two = stock("1"), stock("2")
    first = [part(one), part(two, without=[5, 6, 9])]
    longer = [part(one), part(two, without=[4, 5, 6, 9, 10])]

    for parts in (first, first, longer, longer, first):
        write_suspensions(parts)

    (row,) = Suspension.objects.all()
    assert (row.stock, row.start_date.day, row.end_date.day) == (two, 4, 10)
