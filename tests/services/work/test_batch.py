"""要做的事:哪些股票、什么次序、各缺哪些区间。"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from sync.engine.ports import Task, Window
from sync.models import (
    Coverage,
    FailureStatus,
    Finished,
    MarketCalendar,
    MarketDay,
    Stock,
    SyncFailure,
    SyncRun,
)
from sync.services.work import batch
from sync.services.work.batch import markets_of, stocks_of, tasks_of
from tests.rows import AT, WINDOW, run, stock

pytestmark = pytest.mark.django_db


def march(first: int, last: int) -> Window:
    return Window(date(2026, 3, first), date(2026, 3, last))


def covered(of: Stock, window: Window, *, period: str = "day") -> None:
    Coverage.objects.create(
        stock=of, period=period, start_date=window.start, end_date=window.end
    )


def tasks(of: SyncRun, market: str = "HK", *, at: datetime = AT) -> list[Task]:
    return list(tasks_of(of, market, at=at))


def test_a_stock_without_coverage_needs_the_whole_window() -> None:
    one = stock("700")

    (task,) = tasks(run())

    assert task == Task(
        stock_id=one.pk,
        market="HK",
        code="700",
        period="day",
        windows=(WINDOW,),
        covered=None,
        final=date(2026, 3, 9),
    )


@pytest.mark.parametrize(
    ("have", "force", "windows"),
    [
        (march(2, 9), False, ()),
        (march(1, 20), False, ()),
        (march(2, 5), False, (march(6, 9),)),
        (march(5, 9), False, (march(2, 4),)),
        (march(4, 5), False, (march(2, 3), march(6, 9))),
        (march(2, 9), True, (march(2, 9),)),
        (march(4, 5), True, (march(2, 3), march(4, 5), march(6, 9))),
    ],
)
def test_only_what_is_missing_is_wanted_unless_forced(
    have: Window, force: bool, windows: tuple[Window, ...]
) -> None:
    covered(stock(), have)

    (task,) = tasks(run(force=force))

    assert (task.windows, task.covered) == (windows, have)


def test_coverage_of_another_period_does_not_count() -> None:
    covered(stock(), WINDOW, period="week")

    (task,) = tasks(run())

    assert (task.windows, task.covered) == ((WINDOW,), None)


def test_weeks_are_wanted_whole() -> None:
    stock()

    (task,) = tasks(run(period="week", start_date="2026-03-04", end_date="2026-03-05"))

    assert task.windows == (march(2, 8),)


def test_never_loaded_stocks_come_first_then_the_stalest() -> None:
    for code, end in (("1", 6), ("2", None), ("3", 4), ("4", 5), ("5", None)):
        one = stock(code)
        if end:
            covered(one, march(2, end))
            covered(one, march(2, 9), period="1m")

    codes = [task.code for task in tasks(run())]

    assert codes == ["2", "5", "3", "4", "1"]


def test_stocks_that_failed_again_and_again_come_last() -> None:
    for code in "12345678":
        stock(code)
    covered(Stock.objects.get(stock_code="7"), march(2, 6))
    for code, columns in (
        ("1", {"retry_count": 1}),
        ("2", {"retry_count": 3, "status": FailureStatus.GIVEN_UP}),
        ("3", {"retry_count": 0}),  # has not been tried again yet
        ("4", {"retry_count": 2, "status": FailureStatus.DONE}),
        ("5", {"retry_count": 2, "period": "1m"}),
        ("6", {"retry_count": 2, "market": "US"}),
        ("7", {"retry_count": 2, "end_date": "2026-03-06"}),  # not what is wanted
    ):
        SyncFailure.objects.create(
            **{
                "stock_code": code,
                "market": "HK",
                "start_date": "2026-03-02",
                "end_date": "2026-03-09",
            }
            | columns
        )

    codes = [task.code for task in tasks(run())]

    assert codes == ["3", "4", "5", "6", "8", "7", "1", "2"]


def test_stocks_without_an_answer_come_last_and_those_never_tried_do_not() -> None:
    reasons = ["provider_down", "timeout", "no_token", "provider_error", "unreachable"]
    for code, reason in enumerate([*reasons, "bad_data"], 1):
        stock(str(code))
        SyncFailure.objects.create(
            stock_code=str(code),
            market="HK",
            start_date="2026-03-02",
            end_date="2026-03-09",
            reason_class=reason,
        )

    codes = [task.code for task in tasks(run())]

    # One was left by a stop, so that neighbours are taken apart as well.
    assert codes == ["1", "3", "6", "5", "2", "4"]


def test_after_a_stop_neighbours_that_are_equally_stale_are_taken_apart() -> None:
    stocks = [stock(str(number)) for number in range(1, 11)]
    covered(stocks[0], march(2, 6))

    before = [task.code for task in tasks(run())]
    SyncFailure.objects.create(
        stock_code="9",
        market="HK",
        start_date="2026-03-02",
        end_date="2026-03-09",
        reason_class="provider_down",
    )
    after = [task.code for task in tasks(run())]

    assert before == ["2", "3", "4", "5", "6", "7", "8", "9", "10", "1"]
    assert after == ["2", "5", "8", "3", "6", "9", "4", "7", "10", "1"]


def test_of_stocks_that_want_nothing_nobody_asks_whether_they_failed(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    covered(stock("1"), WINDOW)
    wanted = run()

    with django_assert_num_queries(6):
        tasks(wanted)


def test_deleted_stocks_and_other_markets_are_left_out() -> None:
    stock("1")
    stock("2", deleted=True)
    stock("3", market="US")
    stock("4", market="unknown")
    every = run()

    assert markets_of(every) == ["HK", "US"]
    assert [task.code for task in tasks(every)] == ["1"]
    assert [task.code for task in tasks(every, "US")] == ["3"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["HK 1", "HK 2", "SZ 1", "US 3"]),
        ({"market": "HK,US"}, ["HK 1", "HK 2", "US 3"]),
        ({"codes": ["1"]}, ["HK 1", "SZ 1"]),
        ({"codes": ["1", "3"], "market": "HK"}, ["HK 1"]),
        ({"market": "GB"}, []),
    ],
)
def test_the_stocks_of_a_run(wanted: dict[str, Any], found: list[str]) -> None:
    for market, code in (("HK", "1"), ("HK", "2"), ("SZ", "1"), ("US", "3")):
        stock(code, market=market)
    wanted_run = run(**wanted)

    assert sorted(map(str, stocks_of(wanted_run))) == found
    assert markets_of(wanted_run) == sorted({name.split()[0] for name in found})


def test_today_is_the_markets_own() -> None:
    # Already the 11th in Hong Kong, and still the 10th in New York.
    evening = datetime(2026, 3, 11, 0, 30, tzinfo=UTC)
    stock("700", market="HK")
    stock("AAPL", market="US")
    wanted = run(start_date="2026-03-02", end_date="2026-03-11")

    (hongkong,) = tasks(wanted, "HK", at=evening)
    (newyork,) = tasks(wanted, "US", at=evening)

    assert (hongkong.windows, hongkong.final) == ((march(2, 11),), date(2026, 3, 10))
    assert (newyork.windows, newyork.final) == ((march(2, 10),), date(2026, 3, 10))


def test_a_weekend_at_the_end_is_neither_asked_for_nor_counted() -> None:
    friday, sunday = date(2026, 3, 6), date(2026, 3, 8)
    covered(stock("700"), march(2, friday.day))
    wanted = run(start_date="2026-03-02", end_date=str(sunday))
    longer = run(start_date="2026-03-02", end_date="2026-03-09")

    (weekend,), (monday,) = tasks(wanted, "HK"), tasks(longer, "HK")

    assert weekend.windows == ()
    assert monday.windows == (march(7, 9),)


def test_a_weekend_that_is_all_that_is_wanted_is_asked_for() -> None:
    stock("700")
    covered(stock("701"), march(2, 6))
    wanted = run(start_date="2026-03-07", end_date="2026-03-07")

    assert [task.windows for task in tasks(wanted, "HK")] == [(march(7, 7),)] * 2


@pytest.mark.parametrize("known", ["told", "traded"])
def test_a_session_that_is_known_on_a_weekend_is_asked_for(known: str) -> None:
    covered(stock("700"), march(2, 6))
    if known == "told":
        MarketCalendar.objects.create(market="HK", told={"2026-03-08": True})
    else:
        numbers = {"expected": 3, "present": 2, "suspended": 0, "missing": 1}
        MarketDay.objects.create(
            market="HK", period="day", day="2026-03-08", audited_at=AT, **numbers
        )
    wanted = run(start_date="2026-03-02", end_date="2026-03-08")

    (task,) = tasks(wanted, "HK")

    assert task.windows == (march(7, 8),)


def test_where_the_window_has_not_begun_yet_there_is_nothing_to_do() -> None:
    evening = datetime(2026, 3, 10, 20, 0, tzinfo=UTC)
    stock("AAPL", market="US")
    wanted = run(start_date="2026-03-11", end_date="2026-03-11")

    assert tasks(wanted, "US", at=evening) == []


def test_stocks_are_read_in_chunks(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(batch, "FIRST_CHUNK", 1)
    monkeypatch.setattr(batch, "CHUNK", 2)
    for code in "12345":
        covered(stock(code), march(2, 5))
    wanted = run()

    with django_assert_num_queries(5 + 3 * 2):
        found = tasks(wanted)

    assert [task.code for task in found] == list("12345")
    assert {task.windows for task in found} == {(march(6, 9),)}


def test_a_market_of_many_stocks_takes_eight_queries(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    Stock.objects.bulk_create(
        Stock(market="HK", stock_code=str(number)) for number in range(500)
    )
    wanted = run()

    with django_assert_num_queries(5 + 2 * 2):
        found = tasks(wanted)

    assert len(found) == 500


def test_stocks_that_lie_far_apart_are_read_alike() -> None:
    covered(stock("1"), march(2, 5))
    Stock.objects.create(id=1_000_000, market="HK", stock_code="2")
    wanted = run()

    found = tasks(wanted)

    assert [(task.code, task.windows) for task in found] == [
        ("2", (march(2, 9),)),
        ("1", (march(6, 9),)),
    ]


def test_of_stocks_that_lie_between_none_is_read() -> None:
    for code in "12":
        stock(code)
        stock(code, market="US")

    assert [task.code for task in tasks(run())] == ["1", "2"]


def test_a_stock_deleted_for_good_meanwhile_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch, "FIRST_CHUNK", 1)
    stock("1")
    stock("2")
    found = tasks_of(run(), "HK", at=AT)
    first = next(found)
    Stock.objects.filter(stock_code="2").delete()

    assert (first.code, list(found)) == ("1", [])


def hole(code: str, first: int, last: int, **columns: Any) -> None:
    window = march(first, last)
    SyncFailure.objects.create(
        **{
            "market": "HK",
            "stock_code": code,
            "start_date": window.start,
            "end_date": window.end,
            "reason_class": "hole",
            **columns,
        }
    )


def test_who_names_a_stock_gets_its_filed_holes_in_the_window_as_well() -> None:
    covered(stock("700"), march(1, 6))
    hole("700", 4, 4)
    hole("700", 1, 2)  # WINDOW begins on the second
    hole("700", 5, 5, status=FailureStatus.GIVEN_UP)
    hole("700", 5, 5, period="60m")
    hole("5", 5, 5)

    (named,) = tasks(run(kind="single", codes=["700"]))
    whole = tasks(run())

    assert named.windows == (march(2, 2), march(4, 4), march(7, 9))
    assert [task.windows for task in whole if task.code == "700"] == [(march(7, 9),)]


def test_what_the_run_has_finished_is_no_hole_any_more() -> None:
    one = stock("700")
    covered(one, march(1, 9))
    hole("700", 4, 4)
    made = run(kind="single", codes=["700"])
    Finished.objects.create(run_id=made.pk, stock=one, period="day")

    (task,) = tasks(made)

    assert task.windows == ()
