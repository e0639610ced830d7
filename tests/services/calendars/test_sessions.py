"""哪一天是交易日:市场自己、服务商、交易所,谁先知道听谁的。"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from sync.engine.ports import Window
from sync.models import MarketCalendar, MarketDay
from sync.services.calendars.sessions import Calendar, weekend_sessions

pytestmark = pytest.mark.django_db

NEW_YEAR = Window(date(2025, 12, 31), date(2026, 1, 5))
AT = datetime(2026, 3, 10, 8, tzinfo=UTC)


def calendar(market: str, window: Window = NEW_YEAR) -> Calendar:
    return Calendar(market, window=window)


def market_day(market: str, day: date, *, expected: int, present: int) -> None:
    MarketDay.objects.create(
        market=market,
        period="day",
        day=day,
        expected=expected,
        present=present,
        suspended=0,
        missing=expected - present,
        audited_at=AT,
    )


def test_a_holiday_and_a_weekend_are_no_sessions() -> None:
    days = calendar("HK").sessions(NEW_YEAR)

    assert days == [date(2025, 12, 31), date(2026, 1, 2), date(2026, 1, 5)]


def test_each_exchange_has_its_own_holidays() -> None:
    chinese_new_year = date(2026, 2, 18)

    assert not calendar("SH").is_session(chinese_new_year)
    assert calendar("US").is_session(chinese_new_year)


def test_where_nobody_knows_every_weekday_counts() -> None:
    vietnam = calendar("VN")

    assert vietnam.known is None
    assert vietnam.is_session(date(2026, 1, 1))
    assert not vietnam.is_session(date(2026, 1, 3))


@pytest.mark.parametrize("day", [date(1999, 12, 24), date(2099, 1, 1)])
def test_where_the_calendar_ends_every_weekday_counts(day: date) -> None:
    span = calendar("HK").known

    assert span is not None
    assert not span.start <= day <= span.end
    assert calendar("HK").is_session(day)


def test_the_last_session_is_the_day_itself_or_the_one_before() -> None:
    of = calendar("HK").last_session

    assert of(date(2026, 1, 2)) == date(2026, 1, 2)
    assert of(date(2026, 1, 1)) == date(2025, 12, 31)
    assert of(date(2026, 1, 4)) == date(2026, 1, 2)


def test_the_providers_holidays_overrule_the_exchange_and_reach_further() -> None:
    MarketCalendar.objects.create(
        market="SH", closed=["2026-03-10", "2027-01-01", "2027-05-03"]
    )
    MarketCalendar.objects.create(market="VN", closed=["2026-02-17"])

    shanghai, vietnam = calendar("SH"), calendar("VN")

    assert not shanghai.is_session(date(2026, 3, 10))
    assert not shanghai.is_session(date(2027, 5, 3))
    assert shanghai.known
    assert shanghai.known.end == date(2027, 12, 31)
    assert vietnam.known == Window(date(2026, 1, 1), date(2026, 12, 31))
    assert not vietnam.is_session(date(2026, 2, 17))


def test_what_the_status_told_of_a_day_overrules_the_list_of_holidays() -> None:
    MarketCalendar.objects.create(
        market="IN",
        closed=["2026-03-10"],
        told={"2026-03-10": True, "2025-02-01": True, "2026-03-11": False},
    )
    window = Window(date(2025, 1, 1), date(2026, 12, 31))
    india = calendar("IN")

    assert india.is_session(date(2026, 3, 10))
    assert india.is_session(date(2025, 2, 1))
    assert not india.is_session(date(2026, 3, 11))
    assert weekend_sessions("IN", window=window) == {date(2025, 2, 1)}


def test_the_market_itself_has_the_last_word() -> None:
    holiday, saturday, typhoon, poor = (
        *(date(2026, 1, 1), date(2026, 1, 3)),
        *(date(2026, 1, 2), date(2025, 12, 31)),
    )
    market_day("HK", holiday, expected=100, present=51)
    market_day("HK", saturday, expected=100, present=50)
    market_day("HK", typhoon, expected=0, present=0)
    market_day("HK", poor, expected=100, present=2)
    MarketCalendar.objects.create(market="HK", closed=[str(holiday)])

    hongkong = calendar("HK")

    assert hongkong.sessions(NEW_YEAR) == [poor, holiday, date(2026, 1, 5)]
    assert hongkong.is_announced(typhoon)
    assert weekend_sessions("HK", window=NEW_YEAR) == set()


def test_the_close_is_the_providers_the_exchanges_or_the_usual() -> None:
    MarketCalendar.objects.create(
        market="US", half={"2026-03-10": "13:00", "2026-03-11": ""}
    )
    usual, hour = calendar("US"), timedelta(hours=1)

    close = usual.close(date(2026, 3, 12))

    assert close == datetime(2026, 3, 12, 20, tzinfo=UTC)
    assert usual.close(date(2026, 3, 10)) == datetime(2026, 3, 10, 17, tzinfo=UTC)
    assert usual.close(date(2026, 3, 11)) == datetime(2026, 3, 11, 16, tzinfo=UTC)
    # The day after Thanksgiving.
    assert usual.close(date(2025, 11, 28)) == datetime(2025, 11, 28, 18, tzinfo=UTC)
    assert calendar("VN").close(date(2026, 3, 12)) == datetime(
        2026, 3, 12, 8, tzinfo=UTC
    )
    assert usual.minutes(date(2026, 3, 12)) == 6.5 * hour // timedelta(minutes=1)
