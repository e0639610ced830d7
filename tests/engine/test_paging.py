from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sync.engine import markets
from sync.engine.errors import BadAnswer
from sync.engine.paging import PAGE_SIZE, SLACK, Walk, pages
from sync.engine.periods import PERIODS
from sync.engine.ports import BadBar, Kline, Page, Window

from .exchange import DAY, STAMPS, Exchange, daily, page, weekdays
from .fakes import task

WINDOW = Window(date(2024, 1, 10), date(2024, 6, 14))
LAST = date(2024, 6, 28)
FAR_BACK = date(2020, 1, 1)


def walk(exchange: Exchange, window: Window) -> Walk:
    walk = Walk(task(1, window, market=exchange.market, period=exchange.period), window)
    for _ in range(200):
        asked = walk.request()
        found = exchange.fetch(asked)
        walk.check(found, asked)
        if not walk.accept(found):
            walk.end_here()
        if walk.done:
            return walk
    raise AssertionError("the walk does not end")


@pytest.mark.parametrize("market", ["HK", "US"])
@pytest.mark.parametrize("kind", STAMPS)
@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("cap", [2, 40, 1000])
def test_all_bars_of_the_window_whatever_the_provider_does(
    market: str, kind: str, inclusive: bool, cap: int
) -> None:
    for listed in (FAR_BACK, date(2024, 3, 11), date(2024, 6, 14)):
        stamps = daily(weekdays(listed, LAST), kind=kind, market=market)
        exchange = Exchange(stamps, inclusive=inclusive, cap=cap, market=market)

        done = walk(exchange, WINDOW)

        bars = exchange.truth(WINDOW)
        assert done.klines() == bars
        assert done.newest() == bars[-1].time.date()
        # Each page but the first repeats a bar; one page more proves the listing.
        assert len(exchange.requests) <= (len(bars) + 2) / (min(cap, 1000) - 1) + 3


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("kind", STAMPS)
def test_one_page_is_enough_where_older_bars_show(inclusive: bool, kind: str) -> None:
    stamps = daily(weekdays(FAR_BACK, LAST), kind=kind)
    exchange = Exchange(stamps, inclusive=inclusive)

    done = walk(exchange, WINDOW)

    assert len(exchange.requests) == 1
    assert not done.exhausted


def test_two_pages_prove_that_history_ends_inside_the_window() -> None:
    exchange = Exchange(daily(weekdays(date(2024, 3, 11), LAST)))

    done = walk(exchange, WINDOW)

    assert len(exchange.requests) == 2
    assert done.exhausted


@pytest.mark.parametrize("kind", STAMPS)
@pytest.mark.parametrize(("period", "step"), [("week", 7), ("month", 31)])
@pytest.mark.parametrize("offset", [0, 4])
def test_weeks_and_months_are_found_on_whichever_day_they_are_stamped(
    kind: str, period: str, step: int, offset: int
) -> None:
    days = [date(2023, 1, 2) + timedelta(days=step * n + offset) for n in range(40)]
    exchange = Exchange(daily(days, kind=kind, market="US"), market="US", period=period)

    done = walk(exchange, Window(date(2023, 6, 7), date(2023, 9, 6)))

    assert done.klines() == exchange.truth(done.window)
    assert len(done.klines()) > 2


def minutes(day: date, *, market: str, period: str) -> list[int]:
    zone = ZoneInfo(markets.MARKETS[market].zone)
    opening = datetime(day.year, day.month, day.day, 9, 30, tzinfo=zone)
    interval = PERIODS[period].interval
    count = timedelta(hours=6) // interval
    return [int((opening + interval * n).timestamp() * 1000) for n in range(count)]


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("cap", [50, 1000])
@pytest.mark.parametrize("market", ["HK", "US"])
def test_minutes_are_found_across_pages_and_clock_changes(
    inclusive: bool, cap: int, market: str
) -> None:
    stamps = [
        stamp
        for day in weekdays(date(2024, 3, 1), date(2024, 3, 20))
        for stamp in minutes(day, market=market, period="5m")
    ]
    window = Window(date(2024, 3, 7), date(2024, 3, 12))
    exchange = Exchange(
        stamps, inclusive=inclusive, cap=cap, market=market, period="5m"
    )

    done = walk(exchange, window)

    assert done.klines() == exchange.truth(window)
    assert len(done.klines()) == 4 * 72
    assert done.newest() == window.end


def test_a_window_without_bars_is_proved_by_an_older_bar() -> None:
    exchange = Exchange(daily(weekdays(FAR_BACK, date(2024, 1, 5))))

    done = walk(exchange, WINDOW)

    assert done.klines() == []
    assert done.newest() is None
    assert len(exchange.requests) == 1


def test_the_limit_fits_the_window() -> None:
    short = Walk(task(), Window(LAST, LAST)).request()
    long = Walk(task(), Window(FAR_BACK, LAST)).request()

    assert SLACK < short.limit < 20
    assert long.limit == PAGE_SIZE


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(14, 14, 1), (12, 14, 3), (14, 17, 2), (3, 16, 8), (15, 16, 1)],
)
def test_the_pages_of_minutes_are_estimated_by_weekdays(
    first: int, last: int, expected: int
) -> None:
    window = Window(date(2024, 6, first), date(2024, 6, last))

    assert pages(window, "1m") == expected


@pytest.mark.parametrize("count", [30, 498, 499, 500, 998, 999, 1231])
def test_as_many_pages_are_forecast_as_it_takes(count: int) -> None:
    days = weekdays(FAR_BACK, LAST)[-count:]
    exchange = Exchange(daily(weekdays(date(2015, 1, 1), LAST)), cap=PAGE_SIZE)
    window = Window(days[0], days[-1])

    walk(exchange, window)

    assert 0 <= pages(window, "day") - len(exchange.requests) <= 1


def test_a_suspended_day_shows_that_the_window_is_reached_and_its_end_is_final() -> (
    None
):
    done = Walk(task(1, WINDOW), WINDOW)
    sound = page(daily([date(2024, 6, 3)]))
    first, last = datetime(2024, 1, 9, tzinfo=UTC), datetime(2024, 6, 14, tzinfo=UTC)
    [oldest] = daily([first.date()])

    done.accept(Page(sound.klines, oldest, idle=(first, last)))

    assert done.done
    assert not done.exhausted
    assert done.newest() == last.date()
    assert done.klines() == sound.klines


def test_a_suspended_day_outside_the_window_is_not_its_newest() -> None:
    done = Walk(task(1, WINDOW), WINDOW)
    sound = page(daily([date(2024, 6, 3)]))

    done.accept(Page(sound.klines, sound.oldest_ms, idle=(at(2024, 6, 17),)))

    assert done.newest() == date(2024, 6, 3)


def test_an_unsound_bar_is_news_of_its_day() -> None:
    done = Walk(task(1, WINDOW), WINDOW)
    sound = page(daily([date(2024, 6, 3)]))
    bad = [BadBar("no close", at(2024, 6, 4)), BadBar("no close", at(2024, 6, 17))]

    done.accept(Page(sound.klines, sound.oldest_ms, bad))

    assert done.newest() == date(2024, 6, 4)


def at(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


def test_the_limit_shrinks_with_what_is_left() -> None:
    exchange = Exchange(daily(weekdays(FAR_BACK, LAST)), cap=60)

    walk(exchange, WINDOW)

    limits = [request.limit for request in exchange.requests]
    assert limits == sorted(limits, reverse=True)
    assert limits[-1] < limits[0]


def test_a_page_of_bad_bars_only_does_not_end_the_walk() -> None:
    done = Walk(task(1, WINDOW), WINDOW)
    [oldest] = daily([date(2024, 6, 3)])

    done.accept(Page((), oldest, [BadBar("no close")]))

    assert not done.done
    assert len(done.bad) == 1
    assert oldest < done.request().end_ms < oldest + 86_400_000


def test_bad_bars_older_than_the_window_end_the_walk() -> None:
    done = Walk(task(1, WINDOW), WINDOW)
    [oldest] = daily([WINDOW.start - DAY])

    done.accept(Page((), oldest, [BadBar("no close")]))

    assert done.done
    assert not done.exhausted


def test_the_limit_stays_positive_behind_a_bad_bar_far_back() -> None:
    done = Walk(task(1, WINDOW), WINDOW)
    sound = page(daily([date(2024, 6, 3)]))
    [oldest] = daily([FAR_BACK])

    done.accept(Page(sound.klines, oldest, [BadBar("no close")]))

    assert not done.done
    assert done.request().limit >= SLACK


@pytest.mark.parametrize("kind", STAMPS)
def test_an_honest_answer_is_never_found_too_new(kind: str) -> None:
    days = weekdays(date(2024, 3, 1), LAST)
    for market in markets.MARKETS:
        stamps = daily(days, kind=kind, market=market)
        exchange = Exchange(stamps, cap=5, market=market)

        done = walk(exchange, Window(date(2024, 3, 20), date(2024, 4, 10)))

        assert len(done.klines()) == 16


def test_a_provider_that_ignores_the_end_is_a_fault_not_the_end_of_history() -> None:
    newest = page(daily(weekdays(date(2024, 6, 3), date(2024, 6, 14))))
    done = Walk(task(1, WINDOW), WINDOW)
    done.check(newest, done.request())
    done.accept(newest)

    with pytest.raises(BadAnswer):
        done.check(newest, done.request())


def test_an_empty_page_passes_the_check() -> None:
    # What it means is for the lane to ask.
    empty = Walk(task(1, WINDOW), WINDOW)

    empty.check(Page((), None), empty.request())


def test_bars_outside_the_window_are_left_out() -> None:
    done = Walk(task(1, WINDOW), WINDOW)
    outside = daily([WINDOW.start - DAY, WINDOW.end + DAY])
    inside = daily([WINDOW.start, WINDOW.end])

    done.accept(page(outside + inside))

    assert [k.time.date() for k in done.klines()] == [WINDOW.start, WINDOW.end]


def test_a_repeated_bar_is_kept_once_in_its_newer_state() -> None:
    done = Walk(task(1, WINDOW), WINDOW)
    first = page(daily([date(2024, 6, 3), date(2024, 6, 4)]))
    changed: Kline = first.klines[0]._replace(volume=first.klines[0].volume + 1)

    done.accept(first)
    done.accept(Page([changed], first.oldest_ms))

    assert list(done.klines()) == [changed, first.klines[1]]
    assert done.klines()[0].time == datetime(2024, 6, 3, tzinfo=UTC)
