from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, get_args

import pytest

from sync.engine.ports import Kline
from sync.simulator import Quirks, Simulator
from sync.simulator.blemishes import Blemish

from .calls import IN_SESSION, WEEKEND, bars

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

NOVEMBER = (date(2026, 11, 2), date(2026, 11, 20))
YEAR = (date(2025, 1, 1), date(2026, 11, 20))


def truth(sim: Simulator, days: tuple[date, date], code: str = "700") -> list[Kline]:
    return sim.truth("HK", code, "day", *days)


def suspended(style: str, **others: Any) -> Simulator:
    quirks = Quirks(suspended=style)  # type: ignore[arg-type]
    sim = Simulator(quirks=quirks, **({"now": WEEKEND} | others))
    sim.suspend("HK", "700", date(2026, 11, 12), date(2026, 12, 31))
    return sim


def test_a_suspension_begins_when_it_is_told() -> None:
    with suspended("absent") as sim:
        found, other = bars(sim, limit=3), bars(sim, code="701", limit=3)

        assert len(truth(sim, NOVEMBER)) == 8
    assert found[-1]["t"] < other[0]["t"]


def test_suspended_days_may_come_as_zeros_with_the_last_close() -> None:
    with suspended("zeros") as sim:
        found = bars(sim, limit=9)

        days = truth(sim, NOVEMBER)
    sound, zeros = found[:2], found[2:]
    assert len(zeros) == 7
    assert {(bar["o"], bar["h"], bar["l"], bar["v"]) for bar in zeros} == {(0, 0, 0, 0)}
    assert {bar["c"] for bar in zeros} == {sound[-1]["c"]}
    assert [bar["c"] for bar in sound] == [float(day.close) for day in days[-2:]]


def test_zeros_go_back_over_the_turn_of_a_year_and_leave_weeks_alone() -> None:
    with Simulator(quirks=Quirks(suspended="zeros"), now=WEEKEND) as sim:
        before = bars(sim, kType=9, limit=100)
        sim.suspend("HK", "700", date(2025, 12, 29), date(2026, 1, 9))
        days = bars(sim, limit=250)
        after = bars(sim, kType=9, limit=98)

    zeros = [bar for bar in days if not bar["v"]]
    assert len(zeros) == 9
    assert len({bar["c"] for bar in zeros}) == 1
    assert len([bar for bar in before if bar not in after]) == 2


def test_a_stock_suspended_today_may_show_its_last_bar_until_tomorrow() -> None:
    clock = [IN_SESSION]
    with suspended("copies", now=lambda: clock[0]) as sim:
        found = bars(sim, limit=3)
        asked_before = bars(sim, limit=3, et=found[-1]["t"])
        clock[0] = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
        later = bars(sim, limit=3)

        assert len(truth(sim, NOVEMBER)) == 8
    last, copy = found[-2:]
    assert copy | {"t": 0} == last | {"t": 0}
    assert datetime.fromtimestamp(copy["t"] / 1000, UTC).day == 19  # 20th in Hong Kong
    assert asked_before[-1] == last
    assert later[:-1] == asked_before[1:]
    assert later[-1]["t"] == copy["t"] + 3 * 86_400_000


def blemished(kind: Blemish) -> tuple[list[dict[str, Any]], list[Kline], list[Kline]]:
    """What is served, what is true, and what was true before."""
    with Simulator(now=WEEKEND, quirks=Quirks(page_cap=0)) as sim:
        before = truth(sim, YEAR)
        sim.blemish("HK", "700", kind)
        return bars(sim, limit=len(before)), truth(sim, YEAR), before


def test_one_stamp_twice_has_different_values_and_the_later_is_true() -> None:
    found, true, before = blemished("twice")

    times = Counter(bar["t"] for bar in found)
    twice = [bar for bar in found if times[bar["t"]] == 2]
    assert true == before
    assert len(twice) >= 8
    for earlier, later in zip(twice[::2], twice[1::2], strict=True):
        assert earlier["t"] == later["t"]
        assert earlier["v"] != later["v"]
        assert any(day.volume == later["v"] for day in true)


def test_the_volume_of_an_index_is_null_in_every_bar() -> None:
    found, true, before = blemished("null_volume")

    assert {(bar["v"], bar["tu"]) for bar in found} == {(None, None)}
    assert {day.volume for day in true} == {Decimal(0)}
    assert [day.close for day in true] == [day.close for day in before]


def test_a_price_may_be_off_by_one_step_and_is_widened_in_the_truth() -> None:
    found, true, before = blemished("rounding")

    def off(bar: dict[str, Any]) -> tuple[float, float]:
        ends = (bar["o"], bar["c"])
        over, under = max(ends) - bar["h"], bar["l"] - min(ends)
        return round(max(over, 0), 3), round(max(under, 0), 3)

    steps = [step for step in map(off, found) if step != (0, 0)]
    assert 8 <= len(steps) <= 12
    assert set(steps) == {(0.001, 0), (0, 0.001)}
    assert len(true) == len(before)
    assert len(set(true) - set(before)) >= 8
    assert all(day.high >= max(day.open, day.close) for day in true)
    assert all(day.low <= min(day.open, day.close) for day in true)


@pytest.mark.parametrize("kind", ["close_above_high", "zero_prices"])
def test_a_bar_that_cannot_be_right_is_not_in_the_truth(kind: Blemish) -> None:
    found, true, before = blemished(kind)

    wrong = [bar for bar in found if bar["c"] > bar["h"] or not bar["o"]]
    assert len(wrong) == len(before) - len(true) > 7
    assert all(bar["v"] for bar in wrong)
    assert set(true) < set(before)


def test_the_newer_of_two_bars_is_the_later_in_the_answer_in_either_order() -> None:
    pages = []
    for order in ("oldest_first", "newest_first"):
        quirks = Quirks(order=order)
        with Simulator(now=WEEKEND, quirks=quirks) as sim:
            sim.blemish("HK", "700", "twice")
            pages.append({bar["t"]: bar["v"] for bar in bars(sim, limit=300)})

    assert pages[0] == pages[1]


@pytest.mark.parametrize("kind", get_args(Blemish))
def test_a_blemish_can_be_taken_away(kind: Blemish) -> None:
    with Simulator(now=WEEKEND) as sim:
        before = bars(sim, limit=200)
        sim.blemish("HK", "700", kind)
        during = bars(sim, limit=200)
        sim.blemish("HK", "700", "")

        assert bars(sim, limit=200) == before
    assert (during == before) == (kind == "")
