from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from sync.engine.ports import Kline
from sync.simulator import Quirks, Simulator

from .calls import WEEKEND, bars, get, kline

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

YEAR = (date(2025, 7, 1), date(2026, 12, 31))
MONDAY = date(2026, 11, 23)
SUNDAY_NIGHT = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
MONDAY_EVENING = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
Prices = list[tuple[float, float, float, float]]


class Clock:
    def __init__(self) -> None:
        self.at = WEEKEND

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sim(clock: Clock) -> Iterator[Simulator]:
    with Simulator(now=clock) as simulator:
        yield simulator


def truth(sim: Simulator, period: str = "day") -> list[Kline]:
    return sim.truth("HK", "700", period, *YEAR)


def prices(found: list[dict[str, Any]]) -> Prices:
    return [(bar["o"], bar["h"], bar["l"], bar["c"]) for bar in found]


def quartered(found: Prices) -> Prices:
    return [tuple(round(price / 4, 4) for price in bar) for bar in found]  # type: ignore[misc]


def same(found: Prices, expected: Prices) -> bool:
    return len(found) == len(expected) and all(
        one == pytest.approx(other, abs=0.0002)
        for one, other in zip(found, expected, strict=True)
    )


def test_a_split_restates_all_older_bars_when_its_day_begins(
    sim: Simulator, clock: Clock
) -> None:
    before = bars(sim, limit=100)
    sim.split("HK", "700", MONDAY, new=4)
    clock.at = SUNDAY_NIGHT
    evening_before = bars(sim, limit=100)
    clock.at = MONDAY_EVENING
    after = bars(sim, limit=101)

    assert evening_before == before
    assert same(prices(after[:-1]), quartered(prices(before)))
    assert [bar["v"] for bar in after[:-1]] == [4 * bar["v"] for bar in before]
    assert after[-1]["o"] == pytest.approx(after[-2]["c"], rel=0.2)
    assert [kline.close for kline in truth(sim)][-101:] == [
        Decimal(str(bar["c"])) for bar in after
    ]


def test_a_provider_that_does_not_adjust_has_a_jump(
    sim: Simulator, clock: Clock
) -> None:
    before = bars(sim, limit=100)
    sim.split("HK", "700", MONDAY, new=4, adjusts=False)
    clock.at = MONDAY_EVENING
    after = bars(sim, limit=101)

    assert after[:-1] == before
    assert after[-1]["o"] == pytest.approx(before[-1]["c"] / 4, rel=0.2)


def test_a_split_may_leave_the_volumes_alone(sim: Simulator, clock: Clock) -> None:
    before = bars(sim, limit=100)
    sim.split("HK", "700", MONDAY, new=1, old=10, volumes=False)
    clock.at = MONDAY_EVENING
    after = bars(sim, limit=101)[:-1]

    assert [bar["v"] for bar in after] == [bar["v"] for bar in before]
    assert after[0]["c"] == pytest.approx(before[0]["c"] * 10)


@pytest.mark.parametrize("ktype", [1, 9, 10])
def test_a_split_is_in_every_period(sim: Simulator, clock: Clock, ktype: int) -> None:
    clock.at = datetime(2026, 12, 1, 12, tzinfo=UTC)
    before = bars(sim, kType=ktype, limit=500)
    sim.split("HK", "700", MONDAY, new=4)
    after = bars(sim, kType=ktype, limit=500)

    assert same(prices(after), quartered(prices(before)))
    assert [bar["v"] for bar in after] == [4 * bar["v"] for bar in before]


def test_a_dividend_moves_what_is_older_by_a_factor(sim: Simulator) -> None:
    before = truth(sim)
    sim.restate("HK", "700", date(2026, 11, 2), price=Fraction(98, 100))
    after = truth(sim)

    recent = [kline for kline in before if kline.time.date() >= date(2026, 11, 2)]
    assert after[-len(recent) :] == recent
    older = list(zip(before, after, strict=True))[: -len(recent)]
    assert len(older) > 300
    for one, other in older:
        assert other.close == pytest.approx(
            one.close * Decimal("0.98"), abs=Decimal("0.0002")
        )
        assert other.volume == one.volume
        assert other.low <= min(other.open, other.close)


def test_two_dividends_multiply(sim: Simulator) -> None:
    before = truth(sim)[0].close
    for _ in "ab":
        sim.restate("HK", "700", date(2026, 11, 2), price=Fraction(1, 2))

    assert truth(sim)[0].close == pytest.approx(before / 4, abs=Decimal("0.0001"))


def test_a_few_days_are_revised_and_their_week_with_them(sim: Simulator) -> None:
    days, weeks = truth(sim), truth(sim, "week")
    friday = date(2026, 11, 20)
    sim.revise("HK", "700", [friday, date(2026, 11, 17)])

    changed = set(truth(sim)) - set(days)
    assert sorted(kline.time.date() for kline in changed) == [
        date(2026, 11, 17),
        friday,
    ]
    assert all(kline.low <= kline.close <= kline.high for kline in changed)
    assert {kline.volume for kline in changed}.isdisjoint(
        kline.volume for kline in days
    )
    assert len(set(truth(sim, "week")) - set(weeks)) == 1


def test_a_code_given_to_another_company_has_another_history(sim: Simulator) -> None:
    def name() -> str:
        query = {"type": "stock", "region": "HK", "code": "700"}
        rows = get(sim, "/symbol/list", **query).json()["data"]
        return str(rows[0]["n"])

    before, called = truth(sim), name()
    sim.replace_company("HK", "700")

    assert not set(truth(sim)) & set(before)
    assert len(truth(sim)) == len(before)
    assert name() != called


def test_a_delisted_stock_keeps_its_bars_and_leaves_the_list(sim: Simulator) -> None:
    before = truth(sim)
    sim.delist("HK", "700", date(2026, 11, 13))

    listed = get(sim, "/symbol/list", type="stock", region="HK").json()["data"]
    quote = get(sim, "/stock/quote", region="HK", code="700").json()["data"]
    assert truth(sim) == before[:-5]
    assert "700" not in {row["c"] for row in listed}
    assert quote["ts"] == 2


def test_the_provider_may_forget_a_delisted_code(sim: Simulator, clock: Clock) -> None:
    sim.delist("HK", "700", MONDAY, known=False)
    clock.at = MONDAY_EVENING
    last_day = kline(sim).json()["code"]
    clock.at = datetime(2026, 11, 24, 12, tzinfo=UTC)

    assert (last_day, kline(sim).json()["code"]) == (0, "E001")
    assert get(sim, "/stock/quote", region="HK", code="700").json()["data"] is None


def test_what_happens_to_a_stock_that_there_is_not_is_refused(sim: Simulator) -> None:
    with pytest.raises(ValueError, match="HK has no stock 9"):
        sim.suspend("HK", "9", MONDAY, MONDAY)


def test_a_feed_with_extended_hours_has_minutes_from_4_to_20() -> None:
    quirks = Quirks(extended_hours=True, page_cap=0)
    friday = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)  # 22:00 in New York
    with Simulator(quirks=quirks, now=friday) as sim:
        found = bars(sim, region="US", code="XAAAB", kType=1, limit=960)
        fifteens = bars(sim, region="US", code="XAAAB", kType=3, limit=64)
        other = bars(sim, kType=1, limit=330)

        day = (date(2026, 11, 20), date(2026, 11, 20))
        true = sim.truth("US", "XAAAB", "1m", *day)
    opened = datetime(2026, 11, 20, 9, 0, tzinfo=UTC).timestamp() * 1000
    assert [bar["t"] for bar in found] == [opened + 60_000 * n for n in range(960)]
    assert [bar["t"] for bar in fifteens] == [opened + 900_000 * n for n in range(64)]
    assert [kline.time.timestamp() * 1000 for kline in true] == [b["t"] for b in found]
    assert len({bar["t"] // 86_400_000 for bar in other}) == 1


def test_minutes_before_the_open_are_there_before_the_open() -> None:
    early = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)  # 07:00 in New York
    with Simulator(quirks=Quirks(extended_hours=True), now=early) as sim:
        found = bars(sim, region="US", code="XAAAB", kType=1, limit=500)

    today = datetime(2026, 11, 20, tzinfo=UTC).timestamp() * 1000 + 5 * 3_600_000
    assert sum(bar["t"] >= today for bar in found) == 181  # the last is forming


def test_india_traded_on_a_saturday() -> None:
    saturday = date(2025, 2, 1)
    with Simulator(now=datetime(2025, 2, 3, 2, tzinfo=UTC)) as sim:
        code = sim.codes("IN")[1]
        found = bars(sim, region="IN", code=code, limit=3)

        true = sim.truth("IN", code, "day", saturday, saturday)
    assert [datetime.fromtimestamp(bar["t"] / 1000, UTC).day for bar in found] == [
        29,
        30,
        31,  # half past five in the evening before, in UTC
    ]
    assert [kline.time.date() for kline in true] == [saturday]
