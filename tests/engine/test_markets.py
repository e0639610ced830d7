from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sync.engine import markets
from sync.engine.markets import MARKETS, bar_time, bounds, end_stamp, last_final
from sync.engine.periods import PERIODS
from sync.engine.ports import Window

from .exchange import STAMPS, stamp

# Ordinary days in summer and winter, and days on which clocks change: US, EU, Sydney.
DATES = [
    date(2024, 1, 15),
    date(2024, 7, 15),
    date(2024, 3, 10),
    date(2024, 3, 31),
    date(2024, 4, 7),
    date(2024, 10, 6),
    date(2024, 10, 27),
    date(2024, 11, 3),
]


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("kind", STAMPS)
def test_daily_stamp_gives_the_trade_date_under_every_convention(
    market: str, kind: str
) -> None:
    for day in DATES:
        moment = bar_time(stamp(day, kind, market=market), market=market, period="day")

        assert moment == midnight(day)


def test_an_open_at_midnight_utc_gives_its_own_date() -> None:
    # Tokyo opens at 09:00, which is 00:00 UTC of the same date.
    tokyo = datetime(2024, 1, 15, 9, tzinfo=ZoneInfo("Asia/Tokyo"))

    moment = bar_time(int(tokyo.timestamp() * 1000), market="JP", period="day")

    assert moment == midnight(date(2024, 1, 15))


def test_intraday_stamp_is_the_instant_itself() -> None:
    moment = datetime(2024, 1, 15, 14, 30, tzinfo=UTC)

    assert bar_time(int(moment.timestamp() * 1000), market="US", period="5m") == moment


@pytest.mark.parametrize("market", MARKETS)
def test_end_stamp_is_later_than_every_stamp_of_the_end_date(market: str) -> None:
    for day in DATES:
        stamps = [stamp(day, kind, market=market) for kind in STAMPS]

        assert end_stamp(day, market=market) > max(stamps)


@pytest.mark.parametrize("market", MARKETS)
def test_end_stamp_asks_for_one_date_more_at_most(market: str) -> None:
    for day in DATES:
        after = [stamp(day + timedelta(days=2), kind, market=market) for kind in STAMPS]

        assert end_stamp(day, market=market) < min(after)


def test_bounds_of_days_are_midnights_utc() -> None:
    window = Window(date(2024, 3, 8), date(2024, 3, 11))

    assert bounds(window, market="US", period="day") == (
        midnight(date(2024, 3, 8)),
        midnight(date(2024, 3, 12)),
    )


def test_bounds_of_minutes_are_midnights_at_the_exchange() -> None:
    window = Window(date(2024, 3, 10), date(2024, 3, 10))

    since, until = bounds(window, market="US", period="1m")

    assert since == datetime(2024, 3, 10, 5, tzinfo=UTC)
    assert until == datetime(2024, 3, 11, 4, tzinfo=UTC)  # 23 hours: clocks went ahead


def test_bounds_of_neighbouring_dates_leave_no_gap() -> None:
    for market in MARKETS:
        for day in DATES:
            tomorrow = day + timedelta(days=1)
            one = bounds(Window(day, day), market=market, period="1m")
            two = bounds(Window(tomorrow, tomorrow), market=market, period="1m")

            assert one[1] == two[0]


@pytest.mark.parametrize(
    ("moment", "period", "expected"),
    [
        (datetime(2024, 1, 16, 1, tzinfo=UTC), "1m", date(2024, 1, 15)),
        (datetime(2024, 1, 16, 15, tzinfo=UTC), "1m", date(2024, 1, 16)),
        (datetime(2024, 1, 16, tzinfo=UTC), "day", date(2024, 1, 16)),
    ],
)
def test_trade_date_of_a_stored_time(
    moment: datetime, period: str, expected: date
) -> None:
    assert markets.trade_date(moment, market="US", period=period) == expected


def test_today_is_the_date_at_the_exchange() -> None:
    at = datetime(2024, 1, 15, 20, tzinfo=UTC)

    assert markets.today("HK", at=at) == date(2024, 1, 16)
    assert markets.today("US", at=at) == date(2024, 1, 15)


@pytest.mark.parametrize("market", MARKETS)
def test_a_day_is_final_one_hour_after_its_close(market: str) -> None:
    for day in DATES:
        zone = ZoneInfo(MARKETS[market].zone)
        over = datetime.combine(day, MARKETS[market].close, zone) + markets.MARGIN
        just_before = over - timedelta(seconds=1)

        assert last_final(market, at=over.astimezone(UTC)) == day
        assert last_final(market, at=just_before.astimezone(UTC)) == day - timedelta(1)


@pytest.mark.parametrize(("period", "intraday"), [("60m", True), ("day", False)])
def test_intraday_periods_are_shorter_than_a_day(period: str, intraday: bool) -> None:
    assert PERIODS[period].intraday is intraday


def test_a_day_is_read_as_it_is_written() -> None:
    assert markets.parse_day("2024-02-29") == date(2024, 2, 29)


@pytest.mark.parametrize("text", ["", "20240229", "2024-W09-4", "2023-02-29", "24-2-9"])
def test_a_day_written_in_another_way_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        markets.parse_day(text)
