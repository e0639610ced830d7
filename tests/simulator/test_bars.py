from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from sync.engine.markets import bar_time
from sync.engine.periods import PERIODS
from sync.engine.ports import Kline
from sync.simulator import Quirks, Simulator
from sync.simulator.bars import INTRADAY_SESSIONS
from sync.simulator.sessions import sessions

from .calls import IN_SESSION, WEEKEND, bars, kline

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

# Everything in one page, which the service does not do.
WHOLE = Quirks(page_cap=0)
EVER = (date(2000, 1, 1), date(2026, 12, 31))
KTYPES = [
    ("1", "1m"),
    ("2", "5m"),
    ("3", "15m"),
    ("4", "30m"),
    ("5", "60m"),
    ("8", "day"),
    ("9", "week"),
    ("10", "month"),
]


@pytest.fixture(scope="module")
def closed() -> Iterator[Simulator]:
    """At the weekend, when no bar but that of the month is forming."""
    with Simulator(now=WEEKEND, quirks=WHOLE) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    """One for all: nothing here changes it."""
    with Simulator(now=IN_SESSION, quirks=WHOLE) as simulator:
        yield simulator


def stored(
    sim: Simulator, *, market: str, code: str, period: str, ktype: str
) -> list[Kline]:
    """What a client keeps that asks for everything in one page."""
    answer = kline(sim, region=market, code=code, kType=ktype, limit=50_000)
    data = answer.json(parse_float=Decimal, parse_int=Decimal)["data"]
    return [
        Kline(
            bar_time(int(bar["t"]), market=market, period=period),
            bar["o"],
            bar["h"],
            bar["l"],
            bar["c"],
            bar["v"],
            bar.get("tu", Decimal(0)),
        )
        for bar in data
    ]


def test_the_real_bars_are_all_there(closed: Simulator) -> None:
    codes = ("AAPL", "FB", "GOOG", "IBM", "MSFT")

    found = {code: bars(closed, region="US", code=code, limit=9999) for code in codes}

    assert sum(len(part) for part in found.values()) == 12_154
    assert sum(len(closed.truth("US", code, "day", *EVER)) for code in codes) == 12_154
    assert found["AAPL"][0] == {
        "t": 951_886_800_000,
        "o": 118.56,
        "h": 132.06,
        "l": 118.5,
        "c": 130.31,
        "v": 9_616_100,
    }


def test_absent_turnover_is_zero_in_the_truth(closed: Simulator) -> None:
    found = closed.truth("US", "IBM", "day", date(2013, 3, 1), date(2013, 3, 1))

    assert [(kline.time, kline.turnover) for kline in found] == [
        (datetime(2013, 3, 1, tzinfo=UTC), Decimal(0))
    ]


@pytest.mark.parametrize(("ktype", "period"), KTYPES)
@pytest.mark.parametrize(("market", "code"), [("HK", "700"), ("SZ", "000001")])
def test_what_is_served_is_the_truth(
    closed: Simulator, *, ktype: str, period: str, market: str, code: str
) -> None:
    got = stored(closed, market=market, code=code, period=period, ktype=ktype)

    truth = closed.truth(market, code, period, *EVER)
    if period == "month":
        got = got[:-1]  # November has not ended
    assert len(truth) > 100
    assert got == truth


@pytest.mark.parametrize("stamp_market", ["US", "JP", "HK"])
def test_intraday_bars_lie_inside_the_regular_session(
    closed: Simulator, stamp_market: str
) -> None:
    code = "XAAAA" if stamp_market == "US" else closed.codes(stamp_market)[-1]
    found = bars(closed, region=stamp_market, code=code, kType=2, limit=5000)

    calendar = sessions(stamp_market)
    for bar in found:
        at = calendar.at(bar["t"])
        assert calendar.opens[at] <= bar["t"] < calendar.closes[at]
        pause, again = calendar.breaks[at]
        assert not pause <= bar["t"] < again
    assert len({calendar.at(bar["t"]) for bar in found}) == INTRADAY_SESSIONS


@pytest.mark.parametrize(("ktype", "period"), KTYPES)
def test_bars_are_sound_and_a_period_apart(
    closed: Simulator, *, ktype: str, period: str
) -> None:
    found = bars(closed, kType=ktype, limit=1000)

    for bar in found:
        assert (
            bar["l"] <= min(bar["o"], bar["c"]) <= max(bar["o"], bar["c"]) <= bar["h"]
        )
        assert bar["l"] > 0
        assert isinstance(bar["v"], int)
    gaps = sorted(after["t"] - before["t"] for before, after in pairwise(found))
    usual = timedelta(milliseconds=gaps[len(gaps) // 2])
    assert 0.9 < usual / PERIODS[period].interval < 1.1


def test_daily_bars_fall_on_trading_days_only(closed: Simulator) -> None:
    found = closed.truth("HK", "700", "day", date(2020, 1, 1), date(2020, 12, 31))

    expected = sessions("HK").between(date(2020, 1, 1), date(2020, 12, 31))
    assert [kline.time.date() for kline in found] == [
        sessions("HK").days[number] for number in expected
    ]


def test_two_simulators_tell_the_same_story_whatever_their_size() -> None:
    window = (date(2024, 1, 1), date(2024, 12, 31))
    small, large = Simulator(stocks=20, now=WEEKEND), Simulator(stocks=500, now=WEEKEND)
    for each in (small, large):
        with each:
            pass

    assert small.truth("HK", "710", "day", *window) == large.truth(
        "HK", "710", "day", *window
    )
    assert small.truth("HK", "710", "day", *window) != small.truth(
        "HK", "711", "day", *window
    )
    assert small.truth("HK", "720", "day", *window) == []


def test_most_stocks_are_old_and_a_few_are_recent_or_suspended(
    closed: Simulator,
) -> None:
    listing = closed.book.listing
    stocks = [listing.find("HK", code) for code in closed.codes("HK")]

    found = [stock for stock in stocks if stock is not None]
    recent = [stock for stock in found if stock.listed >= date(2018, 1, 1)]
    suspended = [stock for stock in found if stock.suspended]
    assert sum(stock.listed < date(2015, 1, 1) for stock in found) > 250
    assert 10 < len(recent) < 60
    assert 3 < len(suspended) < 40
    assert len({stock.listed for stock in found}) > 200


def test_a_stock_has_no_bars_before_its_listing_nor_while_suspended(
    closed: Simulator,
) -> None:
    listing = closed.book.listing
    stock = next(
        stock
        for code in closed.codes("HK")
        if (stock := listing.find("HK", code)) and stock.suspended
    )

    days = {kline.time.date() for kline in closed.truth("HK", stock.code, "day", *EVER)}

    calendar = set(sessions("HK").days)
    first, last = stock.suspended[0]
    gone = {first + timedelta(days=n) for n in range((last - first).days + 1)}
    assert gone & calendar
    assert not gone & days
    assert min(days) == min(day for day in calendar if day >= stock.listed)


def test_the_forming_bar_changes_with_time_and_is_not_in_the_truth() -> None:
    clock = [IN_SESSION]
    with Simulator(now=lambda: clock[0]) as sim:
        morning = bars(sim, limit=1)
        clock[0] += timedelta(hours=2)
        afternoon = bars(sim, limit=1)
        clock[0] = WEEKEND
        final = bars(sim, limit=1)

        truth = sim.truth("HK", "700", "day", date(2026, 11, 20), date(2026, 11, 20))
    assert morning[0]["t"] == afternoon[0]["t"] == final[0]["t"]
    assert morning[0]["v"] < afternoon[0]["v"] < final[0]["v"]
    assert [kline.volume for kline in truth] == [final[0]["v"]]


@pytest.mark.parametrize(("ktype", "period"), KTYPES)
def test_nothing_still_forming_is_in_the_truth(
    sim: Simulator, *, ktype: str, period: str
) -> None:
    served = stored(sim, market="HK", code="700", period=period, ktype=ktype)

    truth = sim.truth("HK", "700", period, *EVER)
    assert truth == served[: len(truth)]
    today = {kline.time for kline in served[len(truth) :]}
    assert today
    if PERIODS[period].intraday or period == "day":
        assert {time.date() for time in today} == {IN_SESSION.date()}


def test_a_week_still_forming_holds_the_days_so_far(sim: Simulator) -> None:
    week = bars(sim, kType=9, limit=1)[0]

    days = bars(sim, kType=8, limit=5)
    assert week["t"] == days[0]["t"]
    assert week["v"] == sum(day["v"] for day in days)
    assert week["c"] == days[-1]["c"]


def test_bars_count_back_from_the_end_asked_for(sim: Simulator) -> None:
    everything = bars(sim, limit=9999)

    page = bars(sim, limit=700, et=everything[1000]["t"])

    assert page == everything[300:1000]


def test_pages_walk_back_to_the_listing_and_end_empty(sim: Simulator) -> None:
    everything = bars(sim, limit=9999)
    walked: list[dict[str, Any]] = []
    et = everything[-1]["t"] + 1
    while page := bars(sim, limit=900, et=et):
        walked[:0] = page
        et = page[0]["t"]

    assert walked == everything


def test_nothing_is_served_before_the_clock_allows_it(sim: Simulator) -> None:
    later = int((IN_SESSION + timedelta(days=400)).timestamp() * 1000)

    assert bars(sim, et=later) == bars(sim)
    assert kline(sim, et=later, kType=1).json()["data"]
