"""补拉取什么:每条记录自己的区间,合成尽量少的请求。"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from sync.engine.errors import UnknownSymbol
from sync.engine.ports import Window
from sync.models import Coverage, Kline, SyncFailure
from tests.engine.exchange import Exchange, daily
from tests.fixtures import MakeToken, Provider
from tests.rows import AT, WINDOW, stock

from .retries import (
    DONE,
    GIVEN_UP,
    WAITS,
    Asking,
    executed,
    march,
    outcome,
    registered,
    retried,
    row,
)

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def asking(make_token: MakeToken, provider: Provider) -> Asking:
    """一个 Token,和一个记下请求的服务商。"""
    make_token(minute_limit=0)
    asking = Asking()
    provider(asking)
    return asking


def stored_days() -> list[int]:
    times = Kline.objects.order_by("time").values_list("time", flat=True)
    return [time.day for time in times if time.month == 3]


def ends(asking: Asking) -> list[date]:
    """各次请求的终点:要的最后一天。"""
    found = [datetime.fromtimestamp(one.end_ms / 1000, UTC) for one in asking.asked]
    return sorted(moment.date() for moment in found)


# --- whose windows --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("windows", "calls"),
    [
        ([march(2, 6), march(5, 9)], 1),
        ([march(2, 5), march(6, 9)], 1),
        ([march(2, 9), march(4, 5)], 1),
        ([march(2, 9), march(2, 9)], 1),
        ([march(2, 3), march(5, 6)], 2),
        ([march(6, 9), march(2, 3), march(4, 4)], 2),
    ],
    ids=["overlap", "touch", "inside", "same", "apart", "two and one"],
)
def test_windows_of_a_stock_are_fetched_in_as_few_calls_as_they_allow(
    asking: Asking, windows: list[Window], calls: int
) -> None:
    stock()
    rows = [row(window=window) for window in windows]

    run = retried()

    wanted = {day for w in windows for day in range(w.start.day, w.end.day + 1)} - {
        7,
        8,
    }
    assert run.calls == len(asking.asked) == calls
    assert stored_days() == sorted(wanted)
    assert {outcome(one)[:2] for one in rows} == {(DONE, 0)}


def test_several_rows_of_a_stock_count_once(asking: Asking) -> None:
    stock("1")
    stock("2")
    for window in (march(2, 2), march(4, 4), march(6, 6)):
        row("1", window=window)
    row("2")

    run = retried()

    assert (run.stocks, run.succeeded, run.failed) == (2, 2, 0)
    assert SyncFailure.objects.count() == 4


def test_a_hole_in_the_coverage_is_fetched(asking: Asking) -> None:
    whole = march(2, 9)
    one = stock()
    Coverage.objects.create(
        stock=one, period="day", start_date=whole.start, end_date=whole.end
    )
    hole = row(window=march(4, 4))

    retried()

    # What the answer carries besides fills the holes before it.
    assert stored_days() == [2, 3, 4]
    assert outcome(hole)[0] == DONE
    assert Coverage.objects.get().window == whole


def test_what_is_fetched_counts_as_covered(asking: Asking) -> None:
    stock()
    row()

    retried()

    assert Coverage.objects.get().window == WINDOW


@pytest.mark.parametrize("period", ["week", "month", "60m"])
def test_a_row_has_its_own_period(
    make_token: MakeToken, provider: Provider, period: str
) -> None:
    make_token(minute_limit=0)
    # Tuesdays at ten in Hong Kong: one bar a week, whatever a bar is.
    moments = [datetime(2026, 1, 6, 2, 0, tzinfo=UTC) + 7 * DAY * n for n in range(9)]
    stamps = [int(moment.timestamp() * 1000) for moment in moments]
    asking = Asking(lambda _token, page: Exchange(stamps, period=period).fetch(page))
    provider(asking)
    stock()
    other, daily_row = row(window=march(2, 4), period=period), row(period="day")
    SyncFailure.objects.filter(pk=daily_row.pk).update(retry_count=3)

    run = retried()

    assert {one.period for one in asking.asked} == {period}
    assert {one.period for one in Kline.objects.all()} == {period}
    assert (run.stocks, run.succeeded) == (1, 1)
    assert (outcome(other)[0], outcome(daily_row)[0]) == (DONE, WAITS)
    # Whole weeks and months are asked for.
    last = {"week": date(2026, 3, 8), "month": date(2026, 3, 31)}
    assert ends(asking)[-1] == last.get(period, date(2026, 3, 4))


def test_a_stock_of_two_periods_counts_twice(asking: Asking) -> None:
    stock()
    row(), row(period="week", window=march(2, 2))

    assert retried().stocks == 2


# --- windows and the calendar ---------------------------------------------------------


def test_a_window_in_the_future_is_left_waiting_and_not_counted(
    asking: Asking,
) -> None:
    stock()
    ahead = row(window=march(11, 12))

    run = retried()

    assert (asking.asked, run.state, run.stocks) == ([], "succeeded", 0)
    assert outcome(ahead) == (WAITS, 0, "timeout")


@pytest.mark.parametrize("works", [True, False])
def test_a_window_in_the_future_shares_nothing_with_others_of_its_stock(
    asking: Asking, works: bool
) -> None:
    stock()
    past, ahead = row(), row(window=march(11, 12))
    if not works:
        asking.faults["700"] = UnknownSymbol("the code is not known")

    retried()

    assert outcome(past)[:2] == ((DONE, 0) if works else (WAITS, 1))
    assert outcome(ahead) == (WAITS, 0, "timeout")


def test_a_window_that_begins_between_asking_and_fetching_waits_for_the_next(
    asking: Asking,
) -> None:
    stock()
    past, ahead = row(), row(window=march(11, 12))
    run = registered(background=True)

    executed(run, at=AT + 2 * DAY)

    assert outcome(past)[0] == DONE
    assert outcome(ahead)[0] == WAITS
    assert ends(asking) == [WINDOW.end]


def test_of_a_window_that_reaches_into_the_future_the_past_is_fetched(
    asking: Asking,
) -> None:
    stock()
    reaching = row(window=march(5, 31))

    retried()

    assert stored_days() == [5, 6, 9]
    assert outcome(reaching)[0] == DONE
    assert ends(asking) == [AT.date()]


def test_a_window_that_ends_before_it_begins_is_given_up(asking: Asking) -> None:
    stock()
    reversed_, fine = row(window=Window(WINDOW.end, WINDOW.start)), row()

    retried()

    assert outcome(reversed_) == (GIVEN_UP, 0, "unknown_stock")
    assert reversed_.failure_reason == "The window ends before it begins"
    assert outcome(fine)[0] == DONE


@pytest.mark.parametrize("period", ["day", "week", "month", "1m"])
def test_a_window_since_the_first_of_days_stops_nothing(
    make_token: MakeToken, provider: Provider, period: str
) -> None:
    make_token(minute_limit=0)
    bars = Exchange(daily([date(2026, 3, 3), date(2026, 3, 4)]), period=period)
    provider(lambda _token, request: bars.fetch(request))
    stock()
    ancient = row(window=Window(date(1, 1, 1), date(9999, 12, 31)), period=period)

    run = retried()

    assert (run.state, run.error) == ("succeeded", "")
    assert outcome(ancient)[0] == DONE


@pytest.mark.parametrize("period", ["day", "1m"])
def test_a_window_older_than_any_kline_is_given_up(asking: Asking, period: str) -> None:
    stock()
    ancient = row(window=Window(date(1, 1, 1), date(1899, 12, 31)), period=period)

    retried()

    assert (outcome(ancient), asking.asked) == ((GIVEN_UP, 0, "unknown_stock"), [])
    assert ancient.failure_reason == "No K-lines are so old"
