"""核对:缺口是什么,不是什么。"""

from __future__ import annotations

from datetime import date

import pytest
from pytest_django import DjangoAssertNumQueries

from sync.engine.ports import Window
from sync.models import MarketCalendar
from sync.services import audit
from sync.services.quality import audit as auditing
from sync.services.quality import holes
from tests.rows import AT

from .auditing import (
    FIRST,
    LAST,
    SATURDAY,
    SESSIONS,
    WINDOW,
    add_bars,
    audited,
    loaded,
    march,
    windows,
)


@pytest.mark.django_db
def test_where_every_session_has_a_bar_there_is_no_hole() -> None:
    loaded("1")
    loaded("2")

    result = audited()

    assert (result.market, result.stocks, result.sessions) == ("HK", 2, 10)
    assert (result.missing, result.holes, result.short_days) == (0, 0, [])
    assert (result.nobody, result.closed) == ([], [])


@pytest.mark.django_db
def test_consecutive_missing_sessions_are_one_hole() -> None:
    loaded("1")
    # Friday and Monday follow each other; Wednesday stands alone.
    loaded("2", without=march(6, 9, 11))

    result = audited()

    assert windows(result) == [
        ("2", date(2026, 3, 6), date(2026, 3, 9)),
        ("2", date(2026, 3, 11), date(2026, 3, 11)),
    ]
    assert (result.missing, result.holes) == (3, 2)
    assert [hole.sessions for hole in result.found] == [2, 1]


@pytest.mark.django_db
def test_a_day_on_which_nobody_has_a_bar_is_a_doubt_and_no_hole() -> None:
    loaded("1", without=march(4))
    loaded("2", without=march(3, 4, 5))

    result = audited()

    assert result.nobody == march(4)
    # Nobody traded between the two missing days, so they follow each other.
    assert windows(result) == [("2", date(2026, 3, 3), date(2026, 3, 5))]
    assert (result.missing, result.found[0].sessions) == (2, 2)


@pytest.mark.django_db
def test_bars_on_a_closed_day_are_a_doubt_and_no_standard_for_others() -> None:
    loaded("1", days=[*SESSIONS, SATURDAY])
    loaded("2")

    result = audited()

    assert (result.closed, result.holes) == ([SATURDAY], 0)


@pytest.mark.django_db
def test_a_closed_day_on_which_most_traded_is_a_session_with_holes() -> None:
    for code in "12":
        loaded(code, days=[*SESSIONS, SATURDAY])
    loaded("3")

    result = audited()

    assert (result.closed, result.sessions) == ([], 11)
    assert windows(result) == [("3", SATURDAY, SATURDAY)]


@pytest.mark.django_db
def test_a_holiday_that_the_provider_tells_is_no_session() -> None:
    MarketCalendar.objects.create(market="HK", closed=[str(day) for day in march(4)])
    loaded("1", without=march(4))
    loaded("2", without=march(4, 5))

    result = audited()

    assert (result.nobody, result.sessions) == ([], 9)
    assert windows(result) == [("2", *march(5, 5))]


@pytest.mark.django_db
def test_a_bar_on_a_closed_day_does_not_hide_a_hole() -> None:
    loaded("1")
    loaded("2", days=[*SESSIONS, SATURDAY], without=march(5))
    loaded("3", without=march(3, 10))

    result = audited()

    assert ("2", *march(5, 5)) in windows(result)


@pytest.mark.django_db
def test_days_before_the_first_bar_ever_are_before_the_listing() -> None:
    loaded("1")
    loaded("2", without=march(2, 3, 4))

    result = audited()

    assert (result.missing, result.holes) == (0, 0)


@pytest.mark.django_db
def test_the_first_bar_may_lie_before_the_window() -> None:
    loaded("1")
    early = loaded("2", without=SESSIONS, covered=Window(date(2026, 2, 2), LAST))
    add_bars(early, [date(2026, 2, 2)])

    result = audited()

    assert windows(result) == [("2", FIRST, LAST)]


@pytest.mark.django_db
def test_days_outside_the_coverage_do_not_count() -> None:
    loaded("1")
    loaded("2", without=march(2, 3, 12, 13), covered=Window(*march(4, 11)))
    loaded("3", days=march(2), covered=None)

    result = audited()

    assert (result.stocks, result.missing) == (2, 0)


@pytest.mark.django_db
def test_a_bar_outside_the_coverage_does_not_hide_a_hole() -> None:
    loaded("1")
    loaded("2", without=march(5), covered=Window(*march(2, 12)))

    result = audited()

    assert windows(result) == [("2", *march(5, 5))]


@pytest.mark.django_db
def test_days_outside_the_window_do_not_count() -> None:
    loaded("1")
    loaded("2", without=march(3, 5, 12))

    result = audited(window=Window(*march(4, 11)))

    assert windows(result) == [("2", *march(5, 5))]


@pytest.mark.django_db
def test_stocks_that_never_had_a_bar_or_are_deleted_do_not_count() -> None:
    loaded("1")
    loaded("2", days=[])
    loaded("3", without=march(5), deleted=True)

    result = audited()

    assert (result.stocks, result.holes) == (1, 0)


@pytest.mark.django_db
def test_a_day_with_few_bars_is_told_with_its_numbers() -> None:
    for code in range(1, 5):
        loaded(str(code), without=march(10) if code > 1 else ())

    result = audited()

    assert [(day.day, day.have, day.of) for day in result.short_days] == [
        (date(2026, 3, 10), 1, 4)
    ]
    assert result.holes == 3


@pytest.mark.django_db
def test_markets_are_compared_each_by_itself() -> None:
    loaded("1", market="SH", without=march(5))
    loaded("1", market="SZ")
    loaded("2", market="SH")

    results = audit(window=WINDOW, at=AT)

    assert [(found.market, found.holes) for found in results] == [("SH", 1), ("SZ", 0)]
    assert [
        found.market for found in audit(window=WINDOW, at=AT, wanted=["SZ", "SZ"])
    ] == ["SZ"]


@pytest.mark.django_db
def test_without_a_calendar_the_other_stocks_are_the_calendar() -> None:
    loaded("1", market="VN", without=march(4))
    loaded("2", market="VN", without=march(4, 5))

    result = audited()

    assert result.known is None
    assert (result.nobody, windows(result)) == ([], [("2", *march(5, 5))])


@pytest.mark.django_db
def test_the_queries_do_not_grow_with_days_or_stocks(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(20):
        loaded(str(number))

    # Calendar, coverage, what is gone, first bars, counts by day, and the market days.
    with django_assert_num_queries(12):
        audited(wanted=["HK"])

    loaded("hollow", without=march(4, 9))
    # A count for each stock, the days, names, failures, suspensions; a second
    # statement for rows that are there already.
    with django_assert_num_queries(17):
        audited(wanted=["HK"])


@pytest.mark.django_db
def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        loaded(f"{number}", without=march(number + 3) if number % 2 else ())
    whole = audited()
    monkeypatch.setattr(holes, "CHUNK", 3)
    monkeypatch.setattr(holes, "FEW", 2)
    monkeypatch.setattr(auditing, "CHUNK", 1)

    result = audited(record=True)

    assert windows(result) == windows(whole)
    assert (result.missing, result.recorded) == (whole.missing, whole.holes) == (2, 2)
