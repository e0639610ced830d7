"""Which stocks can share a call, and what is asked for in it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from sync.engine.paging import PAGE_SIZE, Walk, limit, pages
from sync.engine.ports import Task, Window
from sync.engine.sharing import MOST_BARS, Group, Tally, requests

from .fakes import task

LAST = date(2024, 6, 14)  # a Friday


def days(count: int, *, end: date = LAST) -> Window:
    return Window(end - timedelta(days=count - 1), end)


def of(window: Window, number: int = 2, *, period: str = "day") -> Task:
    return task(number, window, period=period)


def joins(first: Task, second: Task) -> bool:
    return Group(first).join(second)


def test_stocks_that_want_the_same_window_share() -> None:
    assert joins(task(1), task(2))


def test_windows_that_differ_a_little_are_widened() -> None:
    assert joins(of(days(1)), of(days(8)))
    assert joins(of(days(1)), of(days(1, end=date(2024, 6, 11))))


def test_windows_that_differ_much_are_not() -> None:
    group = Group(of(days(1)))

    assert all(group.join(of(days(1))) for _ in range(5))
    assert not group.join(of(days(400)))
    assert len(group.tasks) == 6


def test_what_is_asked_for_in_vain_never_exceeds_a_page() -> None:
    group = Group(of(days(300)))
    joined = sum(group.join(of(days(1))) for _ in range(20))

    wide, narrow = limit(days(300), "day"), limit(days(1), "day")
    assert joined * (wide - narrow) <= PAGE_SIZE < (joined + 1) * (wide - narrow)


def test_windows_far_apart_that_no_page_holds_together_do_not_share() -> None:
    earlier = LAST - timedelta(days=300)

    assert not joins(of(days(1)), of(days(1, end=date(2015, 1, 5))))
    assert not joins(of(days(1200)), of(days(1200, end=earlier)))


def test_another_period_does_not_share() -> None:
    assert not joins(of(days(1)), of(days(1), period="15m"))


@pytest.mark.parametrize("period", ["day", "week", "month", "60m", "5m", "1m"])
def test_a_days_top_up_is_shared_in_every_period(period: str) -> None:
    assert joins(of(days(1), 1, period=period), of(days(1), 2, period=period))


def test_a_stock_of_several_pages_goes_alone() -> None:
    long = days(3000)
    assert pages(long, "day") > 1
    assert not Group(of(long)).open
    assert not joins(of(days(600)), of(long))


def test_a_stock_of_several_windows_goes_alone() -> None:
    two = task(2, days(1, end=date(2024, 1, 5)), days(1))

    assert not joins(of(days(1)), two)
    assert not joins(two, of(days(1)))


def test_one_answer_stays_within_bounds() -> None:
    group = Group(of(days(600)))

    assert not all(group.join(of(days(600))) for _ in range(60))
    assert len(group.tasks) == MOST_BARS // limit(days(600), "day")


def test_all_codes_of_a_call_have_one_end_and_one_limit_that_reach_every_start() -> (
    None
):
    early, late = of(days(5, end=date(2024, 6, 4)), 1), of(days(1), 2)
    walks = [Walk(each, each.windows[0]) for each in (early, late)]

    one, other = requests(walks)

    assert (one.code, other.code) == ("1", "2")
    assert one.end_ms == other.end_ms == walks[1].request().end_ms
    assert one.limit == other.limit == limit(Window(date(2024, 5, 31), LAST), "day")


def tally(*tasks: Task, batch: int) -> int:
    counted = Tally(batch=batch)
    for each in tasks:
        counted.add(each)
    return counted.calls


def test_a_tally_counts_a_call_for_each_full_batch() -> None:
    alike = [of(days(1), number) for number in range(25)]

    assert tally(*alike, batch=10) == 3
    assert tally(*alike, batch=1) == 25
    assert tally(batch=10) == 0


def test_a_tally_counts_stocks_of_several_pages_by_their_pages() -> None:
    long = of(days(3000))

    assert tally(of(days(1)), long, of(days(1)), of(days(1)), batch=10) == (
        2 + pages(days(3000), "day")
    )


def test_a_tally_counts_nothing_for_a_stock_that_wants_nothing() -> None:
    done = Task(9, "HK", "9", "day", (), None, LAST)

    assert tally(of(days(1)), done, of(days(1)), batch=10) == 1
