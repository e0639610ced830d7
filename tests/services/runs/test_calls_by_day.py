"""请求分到哪几天:每天的次数、每分钟的次数、网络。"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from sync.services.runs.calls_by_day import DayOfCalls, Need, Plan, Source, by_day

# Six hours before midnight.
AT = datetime(2026, 3, 10, 18, 0, tzinfo=UTC)
DAY = timedelta(days=1)
TODAY = AT.date()


def midnight(at: datetime) -> datetime:
    return datetime(at.year, at.month, at.day, tzinfo=UTC) + DAY


def planned(*tokens: Source, at: datetime = AT, **needs: int) -> Plan:
    return by_day(
        [Need(market, calls, lanes=1) for market, calls in needs.items()],
        tokens,
        begins_at=at,
        next_day_at=midnight,
        day_of=datetime.date,
    )


def token(
    daily: int | None = None, *, minute: int = 0, left: int | None = None
) -> Source:
    return Source(("HK",), daily if left is None else left, daily, minute)


def calls(plan: Plan) -> list[tuple[date, int]]:
    return [(day.day, day.calls) for day in plan.days]


def test_nothing_to_do_takes_no_day() -> None:
    assert planned(token(), HK=0) == Plan([], None)


def test_without_limits_the_network_alone_counts() -> None:
    plan = planned(token(), HK=100)

    assert plan == Plan([DayOfCalls(TODAY, 100)], AT + timedelta(seconds=30))


def test_a_minute_limit_gives_its_calls_at_the_beginning_of_each_minute() -> None:
    plan = planned(token(minute=5), HK=11)

    assert plan.ends_at == AT + timedelta(seconds=2 * 61)


def test_the_days_quota_spreads_the_rest_over_the_days_to_come() -> None:
    plan = planned(token(100, left=30), HK=250)

    assert calls(plan) == [
        (TODAY, 30),
        (TODAY + DAY, 100),
        (TODAY + 2 * DAY, 100),
        (TODAY + 3 * DAY, 20),
    ]
    assert plan.ends_at == datetime(2026, 3, 13, 0, 0, 6, tzinfo=UTC)


def test_a_day_that_has_used_up_its_calls_waits_for_the_next() -> None:
    plan = planned(token(100, left=0), HK=10)

    assert calls(plan) == [(TODAY, 0), (TODAY + DAY, 10)]


def test_a_minute_limit_may_not_suffice_for_a_day_either() -> None:
    plan = planned(token(minute=1), HK=2000)

    # Six hours hold 355 minutes of 61 s, a whole day 1417.
    assert calls(plan) == [(TODAY, 355), (TODAY + DAY, 1417), (TODAY + 2 * DAY, 228)]


def test_a_token_with_few_calls_a_day_does_not_carry_the_others_minute() -> None:
    plan = planned(token(3, minute=600), token(minute=1), HK=10)

    assert plan.ends_at == AT + timedelta(seconds=6 * 61)


def test_markets_follow_one_another_each_with_the_tokens_that_serve_it() -> None:
    both = Source(("HK", "US"), 10, 10, 0)
    only_us = Source(("US",), 100, 100, 0)

    plan = planned(both, only_us, HK=15, US=20)

    assert calls(plan) == [(TODAY, 30), (TODAY + DAY, 5)]


def test_what_takes_years_has_no_end_that_could_be_told() -> None:
    plan = planned(token(1), HK=10**6)

    assert len(plan.days) == 1000
    assert plan.ends_at is None
