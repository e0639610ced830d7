"""拆股的列表:页从 0 数还是从 1 数都问得全,也问得完。"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import pytest

from sync.providers.splits import SplitPage, SplitRow
from sync.services.splits import listing

ROWS = tuple(
    SplitRow(str(number), date(2026, 1, 1) + timedelta(days=number), "4:1")
    for number in range(45)
)
SIZE = 20
Ask = Callable[[int], SplitPage]


def provider(*, first: int, before: str = "same", last: bool | None = True) -> Ask:
    """一个从 `first` 数页的服务商;更前的页和第一页一样,或者是空的。"""

    def ask(number: int) -> SplitPage:
        if number < first and before == "empty":
            return SplitPage((), None)
        start = max(number - first, 0) * SIZE
        rows = ROWS[start : start + SIZE]
        done = start + SIZE >= len(ROWS)
        return SplitPage(rows, None if last is None else done)

    return ask


def asked(ask: Ask) -> tuple[Sequence[SplitRow], list[int]]:
    numbers: list[int] = []

    def noting(number: int) -> SplitPage:
        numbers.append(number)
        return ask(number)

    pages = list(listing.pages(noting))
    return [*dict.fromkeys(row for page in pages for row in page.rows)], numbers


@pytest.mark.parametrize(
    ("ask", "numbers"),
    [
        (provider(first=0), [0, 1, 2]),
        (provider(first=0, last=None), [0, 1, 2, 3]),
        (provider(first=1), [0, 1, 2, 3]),
        (provider(first=1, last=None), [0, 1, 2, 3, 4]),
        (provider(first=1, before="empty"), [0, 1, 2, 3]),
        (provider(first=1, before="empty", last=None), [0, 1, 2, 3, 4]),
    ],
)
def test_every_page_is_asked_for_however_they_are_counted(
    ask: Ask, numbers: list[int]
) -> None:
    assert asked(ask) == (list(ROWS), numbers)


def test_a_provider_that_ignores_the_page_is_not_asked_without_end() -> None:
    same = SplitPage(ROWS[:SIZE], last=False)

    assert asked(lambda _number: same) == (list(ROWS[:SIZE]), [0, 1, 2])


@pytest.mark.parametrize(
    ("page", "numbers"),
    [
        (SplitPage((), last=True, none=True), [0]),
        (SplitPage((), last=None), [0, 1]),
        (SplitPage(ROWS[:3], last=True), [0]),
    ],
)
def test_little_or_nothing_takes_a_call_or_two(
    page: SplitPage, numbers: list[int]
) -> None:
    rows, calls = asked(lambda _number: page)

    assert (rows, calls) == (list(page.rows), numbers)
