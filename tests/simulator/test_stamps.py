from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, product
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from sync.engine.markets import MARKETS, bar_time
from sync.simulator import Account, Quirks, Simulator
from sync.simulator.quirks import GroupStamp, Stamp
from sync.simulator.sessions import sessions

from .calls import IN_SESSION, KEY, WEEKEND, bars

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def quirky(**quirks: Any) -> Simulator:
    account = Account(KEY, batch_size=5)
    return Simulator(accounts=[account], quirks=Quirks(**quirks), now=IN_SESSION)


def local(stamp_ms: int, market: str) -> datetime:
    return datetime.fromtimestamp(stamp_ms / 1000, ZoneInfo(MARKETS[market].zone))


@pytest.mark.parametrize(
    ("stamp", "hour", "zone"),
    [
        ("utc_midnight", 0, "UTC"),
        ("exchange_midnight", 0, "Asia/Hong_Kong"),
        ("session_open", 9, "Asia/Hong_Kong"),
    ],
)
@pytest.mark.parametrize("ktype", [8, 9, 10])
def test_stamps_of_days_come_in_three_styles(
    stamp: str, hour: int, zone: str, ktype: int
) -> None:
    with quirky(stamp=stamp, group_stamp="first_trade") as sim:
        found = bars(sim, limit=10, kType=ktype)
        days = [
            kline.time
            for kline in sim.truth(
                "HK", "700", "day", date(2020, 1, 1), date(2026, 12, 31)
            )
        ]

    local = [datetime.fromtimestamp(b["t"] / 1000, ZoneInfo(zone)) for b in found]
    assert {each.hour for each in local} == {hour}
    dates = [bar_time(b["t"], market="HK", period="day") for b in found]
    assert set(dates[:-1]) <= set(days)


@pytest.mark.parametrize("stamp", get_args(Stamp))
@pytest.mark.parametrize(
    ("ktype", "group_stamp"),
    [(8, "first_day"), *product((9, 10), get_args(GroupStamp))],
)
@pytest.mark.parametrize("region", ["HK", "US"])
def test_the_stamp_never_hides_or_shows_another_bar(
    stamp: str, group_stamp: str, region: str, ktype: int
) -> None:
    asked = {"region": region, "code": {"HK": "700", "US": "XAAAB"}[region]}
    asked["kType"] = str(ktype)
    with quirky(stamp=stamp, group_stamp=group_stamp, page_cap=0) as sim:
        everything = bars(sim, **asked, limit=600)
        known = len(everything)
        pages = [
            bars(sim, **asked, limit=1, et=bar["t"])
            for bar in everything[1 : known : known // 9]
        ]

    assert [page[0] for page in pages] == everything[0 : known - 1 : known // 9]


def test_the_us_day_belongs_to_new_york() -> None:
    with quirky(stamp="exchange_midnight") as sim:
        found = bars(sim, region="US", code="AAPL", limit=1)

    at = datetime.fromtimestamp(found[0]["t"] / 1000, UTC)
    assert at == datetime(2013, 3, 1, 5, 0, tzinfo=UTC)


def test_weeks_bear_their_monday_and_months_their_1st_holiday_or_not(
    sim: Simulator,
) -> None:
    weeks = [local(bar["t"], "HK") for bar in bars(sim, kType=9, limit=500)]
    months = [local(bar["t"], "HK") for bar in bars(sim, kType=10, limit=500)]

    assert {(day.weekday(), day.hour, day.minute) for day in weeks} == {(0, 0, 0)}
    assert {(day.day, day.hour, day.minute) for day in months} == {(1, 0, 0)}
    trading = set(sessions("HK").days)
    assert {day.date() for day in weeks} - trading  # a Monday that was a holiday
    assert date(2026, 10, 1) in {day.date() for day in months} - trading


def test_a_week_without_a_trade_is_left_out() -> None:
    # Mainland exchanges were closed from 1 to 8 October 2025, and over the new year.
    with Simulator(now=WEEKEND) as sim:
        found = bars(sim, region="SH", code="600000", kType=9, limit=500)

        mondays = [local(bar["t"], "SH").date() for bar in found]
        truth = sim.truth("SH", "600000", "week", date(2018, 1, 1), date(2026, 11, 20))
    gaps = {after - before for before, after in pairwise(mondays)}
    assert gaps == {timedelta(weeks=1), timedelta(weeks=2)}
    assert [kline.time.date() for kline in truth][-400:] == mondays[-400:]


def test_a_running_week_may_bear_its_latest_trade_day() -> None:
    clock = [datetime(2026, 11, 18, 3, 0, tzinfo=UTC)]  # a Wednesday
    quirks = Quirks(group_stamp="latest_trade")
    with Simulator(now=lambda: clock[0], quirks=quirks) as sim:
        running = bars(sim, kType=9, limit=2)
        clock[0] = WEEKEND
        over = bars(sim, kType=9, limit=2)
        month = bars(sim, kType=10, limit=1)

        truth = sim.truth("HK", "700", "week", date(2026, 11, 9), date(2026, 11, 20))
    assert [local(bar["t"], "HK").day for bar in running] == [13, 18]
    assert [local(bar["t"], "HK").day for bar in over] == [13, 20]
    assert local(month[0]["t"], "HK").day == 20
    assert [kline.time.day for kline in truth] == [9, 16]


def test_a_stamp_off_by_the_hour_of_summer_lands_on_the_evening_before() -> None:
    with quirky(stamp="dst_off") as sim:
        found = bars(sim, region="US", code="XAAAB", limit=250)
        plain = bars(sim, region="HK", limit=5)

    hours = {(local(bar["t"], "US").month, local(bar["t"], "US").hour) for bar in found}
    assert {hour for month, hour in hours if month == 7} == {0}
    assert {hour for month, hour in hours if month == 1} == {23}
    assert any(local(bar["t"], "US").weekday() == 6 for bar in found)
    assert {local(bar["t"], "HK").hour for bar in plain} == {0}
