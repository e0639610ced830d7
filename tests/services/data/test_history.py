"""一只股票的历史:K 线、缺口、停牌、失败,和它们的边界。"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from sync import services
from sync.models import (
    Coverage,
    Kline,
    MarketDay,
    RejectedBar,
    Revision,
    Split,
    Stock,
    Suspension,
    SyncFailure,
)
from sync.services.data import history as module
from tests.rows import AT, bar, run, session, stock

pytestmark = pytest.mark.django_db

# Monday to Friday, two weeks.
DAYS = [date(2026, 3, day) for day in (2, 3, 4, 5, 6, 9, 10, 11, 12, 13)]


def traded(*days: date, period: str = "day") -> None:
    for day in days:
        session(day, period=period)


def made(*without: date, audited: bool = True) -> Stock:
    """一只股票,两个星期里除了这些天都有 K 线。"""
    one = stock()
    for day in DAYS:
        if day not in without:
            bar(one, day)
    Coverage.objects.create(
        stock=one, period="day", start_date=DAYS[0], end_date=DAYS[-1]
    )
    if audited:
        traded(*DAYS)
    return one


def failure(one: Stock, start: date, end: date, **columns: object) -> SyncFailure:
    return SyncFailure.objects.create(
        stock_code=one.stock_code,
        market=one.market,
        start_date=start,
        end_date=end,
        **columns,
    )


def windows(gaps: list[services.Gap]) -> list[tuple[date, date, int]]:
    return [(gap.window.start, gap.window.end, len(gap.days)) for gap in gaps]


def test_a_session_without_a_bar_is_a_gap_and_those_in_a_row_are_one() -> None:
    one = made(DAYS[2], DAYS[4], DAYS[5])

    found = services.history(one, "day")

    assert windows(found.gaps) == [
        (DAYS[2], DAYS[2], 1),
        (DAYS[4], DAYS[5], 2),
    ]
    assert [gap.calls for gap in found.gaps] == [1, 1]
    assert (found.idle, found.unaudited) == ([], 0)


def test_a_day_on_which_nobody_traded_is_no_gap() -> None:
    one = made(DAYS[2])
    MarketDay.objects.filter(day=DAYS[2]).update(present=0)

    assert services.history(one, "day").gaps == []


def test_what_is_known_as_suspended_or_was_asked_for_in_vain_is_no_gap() -> None:
    one = made(DAYS[2], DAYS[6])
    Suspension.objects.create(
        stock=one, period="day", start_date=DAYS[2], end_date=DAYS[2], source="gap"
    )
    failure(one, DAYS[6], DAYS[6], status=1, reason_class="hole")

    found = services.history(one, "day")

    assert found.gaps == []
    assert windows(found.idle) == [(DAYS[2], DAYS[2], 1), (DAYS[6], DAYS[6], 1)]


def test_a_gap_that_waits_to_be_fetched_is_still_a_gap() -> None:
    one = made(DAYS[2])
    failure(one, DAYS[2], DAYS[2], status=0, reason_class="hole")

    found = services.history(one, "day")

    assert windows(found.gaps) == [(DAYS[2], DAYS[2], 1)]
    assert [row.start_date for row in found.failures] == [DAYS[2]]


def test_days_that_nobody_audited_are_not_known_and_not_called_whole() -> None:
    one = made(DAYS[2], DAYS[7], audited=False)
    traded(*DAYS[4:])

    found = services.history(one, "day")

    assert windows(found.gaps) == [(DAYS[7], DAYS[7], 1)]
    assert found.unaudited == 1


def test_outside_of_the_coverage_and_of_the_bars_nothing_is_due() -> None:
    one = made(DAYS[0], DAYS[1], DAYS[9])
    Coverage.objects.update(end_date=DAYS[8])

    assert services.history(one, "day").gaps == []


def test_a_week_without_a_bar_is_a_gap_of_the_weeks() -> None:
    one = stock()
    mondays = [date(2026, 3, day) for day in (2, 9, 16)]
    for day in (mondays[0], mondays[2]):
        bar(one, day, period="week")
    Coverage.objects.create(
        stock=one, period="week", start_date=mondays[0], end_date=date(2026, 3, 22)
    )
    traded(*mondays, period="week")

    found = services.history(one, "week")

    assert windows(found.gaps) == [(mondays[1], mondays[1], 1)]


def test_failures_that_are_done_are_left_out_and_newer_ones_are_there() -> None:
    one = made()
    failure(one, DAYS[1], DAYS[1], status=1)
    failure(one, DAYS[2], DAYS[2], status=2)
    failure(one, date(2026, 3, 16), date(2026, 3, 20), status=0)
    failure(one, date(2026, 2, 2), date(2026, 2, 6), status=0)

    found = services.history(one, "day")

    starts = [row.start_date for row in found.failures]
    assert starts == [date(2026, 3, 16), DAYS[2]]


def test_tells_which_run_is_fetching_some_of_it_again() -> None:
    one = made(DAYS[2])
    busy, over = run(kind="retry", state="running"), run(kind="retry", state="failed")
    failure(one, DAYS[2], DAYS[2], status=0, run=busy)
    failure(one, DAYS[3], DAYS[3], status=0, run=over)

    assert services.history(one, "day").retrying == [busy.pk]


def test_marks_are_those_of_the_days_shown() -> None:
    one = made()
    at = {"stock": one, "period": "day", "seen_at": AT}
    for day in (date(2026, 2, 2), DAYS[3]):
        time = datetime(day.year, day.month, day.day, tzinfo=UTC)
        RejectedBar.objects.create(time=time, reason="high is below low", **at)
        Revision.objects.create(time=time, old={"close": "1"}, new=None, **at)
        Split.objects.create(
            market="HK",
            stock_code="700",
            ex_date=day,
            numerator=4,
            denominator=1,
            ratio="4:1",
            seen_at=AT,
        )

    found = services.history(one, "day")

    assert [services.day_of(row, one) for row in found.rejected] == [DAYS[3]]
    assert [services.day_of(row, one) for row in found.revisions] == [DAYS[3]]
    assert [row.ex_date for row in found.splits] == [DAYS[3]]


# --- how much of it ---


def test_the_newest_bars_come_first_and_older_ones_when_they_are_wanted() -> None:
    one = made()

    newest = services.history(one, "day", bars=4)
    older = services.history(one, "day", until=DAYS[5], bars=4)

    assert [services.day_of(row, one) for row in newest.klines] == DAYS[6:]
    assert (newest.older, newest.newer) == (True, False)
    assert [services.day_of(row, one) for row in older.klines] == DAYS[2:6]
    assert (older.older, older.newer) == (True, True)


def test_a_window_far_back_is_shown_though_not_with_everything_since(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST", 5)
    monkeypatch.setattr(module, "AFTER", 2)
    one = made()

    near = services.history(one, "day", since=DAYS[7], bars=1)
    far = services.history(one, "day", since=DAYS[1], bars=1)

    shown = [services.day_of(row, one) for row in near.klines]
    assert (DAYS[7] in shown, near.newer) == (True, False)
    shown = [services.day_of(row, one) for row in far.klines]
    assert (DAYS[1] in shown, far.newer, len(shown) <= 5) == (True, True, True)


def test_a_stock_without_bars_has_nothing_to_show() -> None:
    found = services.history(stock(), "day")

    assert (list(found.klines), found.span, found.gaps) == ([], None, [])


def test_the_queries_are_the_same_few_however_much_there_is(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    one = made(DAYS[2], DAYS[6])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    numbers = dict.fromkeys(("open", "high", "low", "close", "volume", "turnover"), 1)
    Kline.objects.bulk_create(
        Kline(stock=one, period="day", time=start + timedelta(days=n), **numbers)
        for n in range(500)
    )

    with django_assert_num_queries(9):
        services.history(one, "day")


# --- days of minutes that are short ---

MINUTES = timedelta(minutes=15)
NUMBERS = ("open", "high", "low", "close", "volume", "turnover")
WHOLE = dict.fromkeys(DAYS, 22)


def minutes(counts: dict[date, int]) -> Stock:
    """15 分钟线,这些天各有几根;每天核对过,市场有缺。"""
    one = stock()
    for day, count in counts.items():
        opens = datetime(day.year, day.month, day.day, 1, 30, tzinfo=UTC)
        Kline.objects.bulk_create(
            Kline(
                stock=one,
                period="15m",
                time=opens + number * MINUTES,
                **dict.fromkeys(NUMBERS, 1),
            )
            for number in range(count)
        )
        session(day, period="15m")
    Coverage.objects.create(
        stock=one, period="15m", start_date=DAYS[0], end_date=DAYS[-1]
    )
    return one


def test_a_day_with_fewer_minutes_than_usual_is_a_gap_and_says_how_many() -> None:
    one = minutes(WHOLE | {DAYS[2]: 10, DAYS[3]: 0, DAYS[6]: 21})

    found = services.history(one, "15m")

    assert windows(found.gaps) == [(DAYS[2], DAYS[3], 2), (DAYS[6], DAYS[6], 1)]
    assert [gap.short for gap in found.gaps] == [12, 1]


def test_a_short_day_that_the_audit_found_whole_or_the_page_cut_is_none() -> None:
    one = minutes(WHOLE | {DAYS[2]: 10})
    cut = services.history(one, "15m", bars=22 * 7 + 5)
    MarketDay.objects.filter(day=DAYS[2]).update(present=10)

    assert cut.gaps == []
    assert services.history(one, "15m").gaps == []


def test_a_short_day_that_was_asked_for_again_in_vain_is_explained() -> None:
    one = minutes(WHOLE | {DAYS[2]: 10})
    failure(one, DAYS[2], DAYS[2], period="15m", status=1, reason_class="hole")

    found = services.history(one, "15m")

    assert found.gaps == []
    assert windows(found.idle) == [(DAYS[2], DAYS[2], 1)]
