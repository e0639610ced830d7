"""一天的账,和一天从哪里开始。"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from pytest_django import Settings

from tests.fixtures import AT
from tokens import quota
from tokens.accounts import Account
from tokens.models import ApiToken

TODAY = date(2026, 3, 10)
YESTERDAY = date(2026, 3, 9)


def account(**columns: object) -> Account:
    values = {"daily_limit": 10, "daily_used": 4, "usage_date": TODAY, "reserved": 0}
    return Account(**{**values, **columns})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("usage_date", "used"),
    [
        (TODAY, 4),
        (YESTERDAY, 0),
        (None, 0),
        # A clock that runs ahead has begun tomorrow; what it counted is not lost.
        (TODAY + timedelta(days=1), 4),
        (TODAY + timedelta(days=2), 0),
    ],
)
def test_the_count_is_of_today_only(usage_date: date | None, used: int) -> None:
    assert account(usage_date=usage_date).used_on(TODAY) == used


@pytest.mark.parametrize(
    ("limit", "left"), [(0, None), (10, 6), (4, 0), (3, 0)], ids=str
)
def test_what_is_left_is_never_negative(limit: int, left: int | None) -> None:
    assert account(daily_limit=limit).left_on(TODAY) == left


@pytest.mark.parametrize(
    ("limit", "asked", "granted"),
    [
        (10, 3, 3),
        (10, 6, 6),
        (10, 7, 6),
        (4, 1, 0),
        (2, 1, 0),
        (0, 999, 999),
        (10, 0, 0),
        (10, -5, 0),
        (0, -5, 0),
    ],
)
def test_grants_no_more_than_are_left(limit: int, asked: int, granted: int) -> None:
    new, given = account(daily_limit=limit).granting(asked, done=0, day=TODAY)

    assert given == granted
    assert new.daily_used == 4 + granted
    assert new.reserved == granted


def test_calls_that_are_done_are_reserved_no_more() -> None:
    new, _ = account(reserved=4).granting(2, done=3, day=TODAY)

    assert new == account(daily_used=6, reserved=3)


def test_more_done_than_reserved_leaves_nothing_reserved() -> None:
    new, _ = account(reserved=1).granting(2, done=3, day=TODAY)

    assert new.reserved == 2


def test_a_new_day_begins_with_the_grant() -> None:
    new, given = account(daily_used=10, usage_date=YESTERDAY).granting(
        3, done=0, day=TODAY
    )

    assert given == 3
    assert new == account(daily_used=3, reserved=3)


def test_calls_reserved_yesterday_count_for_the_new_day() -> None:
    new, given = account(daily_used=10, usage_date=YESTERDAY, reserved=4).granting(
        10, done=1, day=TODAY
    )

    assert given == 6
    assert new == account(daily_used=10, reserved=9)


def test_unused_calls_are_given_back() -> None:
    assert account(reserved=3).closing(unused=2, day=TODAY) == account(daily_used=2)


def test_no_more_is_given_back_than_was_reserved() -> None:
    assert account(reserved=1).closing(unused=99, day=TODAY) == account(daily_used=3)


def test_unused_calls_of_yesterday_do_not_lower_today() -> None:
    closed = account(daily_used=9, usage_date=YESTERDAY, reserved=3).closing(
        unused=2, day=TODAY
    )

    assert closed == account(daily_used=1)


@pytest.mark.parametrize(
    ("zone", "at", "day", "turns"),
    [
        ("UTC", "2026-03-10T23:59:59", "2026-03-10", "2026-03-11T00:00:00"),
        ("Asia/Shanghai", "2026-03-10T16:00:00", "2026-03-11", "2026-03-11T16:00:00"),
        # The clocks of New York change on this day: it has 23 hours.
        (
            "America/New_York",
            "2026-03-08T05:00:00",
            "2026-03-08",
            "2026-03-09T04:00:00",
        ),
        (
            "America/New_York",
            "2026-03-08T04:59:59",
            "2026-03-07",
            "2026-03-08T05:00:00",
        ),
        # Havana has no midnight on this day; the day begins at one o'clock.
        ("America/Havana", "2026-03-08T04:59:59", "2026-03-07", "2026-03-08T05:00:00"),
        # Here it has two, and the day begins at the first.
        ("America/Havana", "2026-11-01T03:59:59", "2026-10-31", "2026-11-01T04:00:00"),
    ],
)
def test_the_day_turns_at_midnight_of_the_zone(
    zone: str, at: str, day: str, turns: str, settings: Settings
) -> None:
    settings.TOKEN_DAY_TIME_ZONE = zone
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)

    turn = quota.next_day_at(moment)

    assert quota.day_of(moment) == date.fromisoformat(day)
    assert turn == datetime.fromisoformat(turns).replace(tzinfo=UTC)
    assert quota.day_of(turn) > quota.day_of(turn - timedelta(microseconds=1))


def test_carried_calls_are_those_that_still_count() -> None:
    now = int(AT.timestamp())
    token = ApiToken(
        recent_calls=[[now - 62, 1], [now - 61, 2], [now - 10, 3], [now + 1, 4]]
    )

    assert token.carried_calls(AT) == [(61.0, 2), (10.0, 3), (0.0, 4)]


def test_a_fraction_of_a_second_counts() -> None:
    now = int(AT.timestamp())
    token = ApiToken(recent_calls=[[now - 61, 1], [now - 60, 2]])

    assert token.carried_calls(AT + timedelta(milliseconds=500)) == [(60.5, 2)]


def test_what_is_left_today_follows_the_zone(settings: Settings) -> None:
    token = ApiToken(daily_limit=10, daily_used=4, usage_date=TODAY)
    evening = AT.replace(hour=17)

    in_utc = (token.used_today(evening), token.left_today(evening))
    settings.TOKEN_DAY_TIME_ZONE = "Asia/Shanghai"
    token.usage_date = YESTERDAY

    assert in_utc == (4, 6)
    assert (token.used_today(evening), token.left_today(evening)) == (0, 10)
