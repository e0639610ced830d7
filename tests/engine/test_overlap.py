"""存下的和服务商再给的:一样、改了几根、换了口径、认不出来。"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.engine.overlap import (
    Restated,
    Revised,
    Same,
    Unlike,
    Verdict,
    compare,
)
from sync.engine.ports import Kline

FIRST = datetime(2026, 3, 2, tzinfo=UTC)
Change = Callable[[Kline, int], Kline]


def series(bars: int = 12, *, seed: int = 1, price: float = 40.0) -> list[Kline]:
    """一只股票的几根日线,两位小数。"""
    dice = Random(seed)
    made = []
    for number in range(bars):
        open_, close = (price * dice.uniform(0.97, 1.03) for _ in range(2))
        high = max(open_, close) * dice.uniform(1.001, 1.02)
        low = min(open_, close) * dice.uniform(0.98, 0.999)
        o, h, lo, c = (Decimal(f"{value:.2f}") for value in (open_, high, low, close))
        volume = Decimal(dice.randrange(10_000, 900_000))
        time = FIRST + timedelta(days=number)
        made.append(Kline(time, o, h, lo, c, volume, volume * 40))
        price = close
    return made


def times(factor: Fraction, places: int, volume: Fraction = Fraction(1)) -> Change:
    """价格乘上倍数再舍入。"""
    step = Decimal(1).scaleb(-places)

    def scaled(value: Decimal) -> Decimal:
        exact = Fraction(value) * factor
        rounded = Decimal(exact.numerator) / Decimal(exact.denominator)
        return rounded.quantize(step, ROUND_HALF_EVEN)

    def change(kline: Kline, _number: int) -> Kline:
        return Kline(
            kline.time,
            *(scaled(kline.open), scaled(kline.high)),
            *(scaled(kline.low), scaled(kline.close)),
            Decimal(round(Fraction(kline.volume) * volume)),
            kline.turnover,
        )

    return change


def at(*numbers: int, to: Change) -> Change:
    """只有这几根变了。"""
    return lambda kline, number: to(kline, number) if number in numbers else kline


def closed(by: str = "0.07", volume: int = 100) -> Change:
    """收盘价和成交量改正了。"""

    def change(kline: Kline, _number: int) -> Kline:
        close = min(kline.close + Decimal(by), kline.high)
        return kline._replace(close=close, volume=kline.volume + volume)

    return change


def flat(kline: Kline) -> Kline:
    """四个价格一样。"""
    price = kline.close
    return kline._replace(open=price, high=price, low=price)


def judged(old: Sequence[Kline], change: Change) -> Verdict:
    return compare(old, [change(kline, number) for number, kline in enumerate(old)])


SPLIT = times(Fraction(1, 4), 4, Fraction(4))
DIVIDEND = times(Fraction(98, 100), 3)


@pytest.mark.parametrize(
    ("change", "price", "volume"),
    [
        (SPLIT, Fraction(1, 4), Fraction(4)),
        (times(Fraction(1, 4), 2), Fraction(1, 4), Fraction(1)),
        (DIVIDEND, Fraction(49, 50), Fraction(1)),
        (times(Fraction(98, 100), 2), Fraction(49, 50), Fraction(1)),
        (times(Fraction(10), 2, Fraction(1, 10)), Fraction(10), Fraction(1, 10)),
        (at(*range(8), to=SPLIT), Fraction(1, 4), None),
        (at(0, to=SPLIT), Fraction(1, 4), None),
        (
            lambda k, n: SPLIT(k, n) if n else closed()(SPLIT(k, n), n),
            Fraction(1, 4),
            4,
        ),
        (times(Fraction(1), 2, Fraction(100)), Fraction(1), Fraction(100)),
    ],
    ids=[
        *("split", "split, two decimals", "dividend", "dividend, two decimals"),
        *("merged", "split within", "only the oldest", "split and corrected", "lots"),
    ],
)
def test_a_factor_on_the_oldest_bars_restates_the_series(
    change: Change, price: Fraction, volume: Fraction | None
) -> None:
    verdict = judged(series(), change)

    assert isinstance(verdict, Restated)
    assert verdict.price == price
    assert verdict.volume in (volume, None)


@pytest.mark.parametrize(
    ("change", "bars"),
    [
        (at(11, to=closed()), 1),
        (at(0, to=closed()), 1),
        (at(2, 5, 11, to=closed()), 3),
        (at(10, 11, to=SPLIT), 2),
        (lambda k, n: k._replace(volume=k.volume + 7 * n), 11),
        (lambda k, n: k._replace(turnover=k.turnover + n), 11),
    ],
    ids=["newest", "oldest", "three", "newest moved", "volumes", "turnovers"],
)
def test_some_bars_that_changed_are_revised(change: Change, bars: int) -> None:
    verdict = judged(series(), change)

    assert isinstance(verdict, Revised)
    assert len(verdict.changes) == bars
    assert all(old.time == new.time and old != new for old, new in verdict.changes)


@pytest.mark.parametrize("bars", [1, 2, 3, 5, 12])
def test_another_companys_bars_are_unlike(bars: int) -> None:
    verdict = compare(series(bars), series(bars, seed=2, price=55.0))

    assert verdict == Unlike(bars, bars)


@pytest.mark.parametrize("bars", [3, 4, 5, 12])
def test_another_companys_flat_bars_are_unlike(bars: int) -> None:
    old, new = ([*map(flat, series(bars, seed=seed))] for seed in (1, 2))

    assert isinstance(compare(old, new), Unlike)


@pytest.mark.parametrize(
    ("volumes", "verdict"),
    [
        (lambda volume, _n: volume, Restated(Fraction(1, 4), Fraction(1))),
        (lambda volume, _n: volume * 4, Restated(Fraction(1, 4), Fraction(4))),
        (lambda _volume, n: Decimal(7919 * (n + 3) % 5000), Unlike(12, 12)),
    ],
    ids=["volumes as they were", "volumes by the inverse", "other volumes"],
)
def test_where_the_price_never_moves_the_volumes_tell(
    volumes: Callable[[Decimal, int], Decimal], verdict: Verdict
) -> None:
    still = Decimal(400)
    old = [
        kline._replace(open=still, high=still, low=still, close=still)
        for kline in series()
    ]

    def change(kline: Kline, number: int) -> Kline:
        moved = times(Fraction(1, 4), 2)(kline, number)
        return moved._replace(volume=volumes(kline.volume, number))

    assert judged(old, change) == verdict


def test_most_closes_changed_without_a_rule_is_a_rewritten_series() -> None:
    dice = Random(5)

    verdict = judged(
        series(),
        lambda k, n: k._replace(close=k.low if dice.random() < 0.9 else k.high),
    )

    assert verdict == Restated(None, None)


@pytest.mark.parametrize(
    ("old", "new"),
    [([], []), (series(3), []), ([], series(3)), (series(3), series(6)[3:])],
    ids=["nothing", "no answer", "nothing stored", "no bar in common"],
)
def test_without_a_bar_in_common_nothing_has_changed(
    old: Sequence[Kline], new: Sequence[Kline]
) -> None:
    assert compare(old, new) == Same()


def test_bars_without_volume_do_not_hide_a_factor() -> None:
    old = [kline._replace(volume=Decimal(0)) for kline in series()]

    verdict = judged(old, SPLIT)

    assert isinstance(verdict, Restated)
    assert (verdict.price, verdict.volume) == (Fraction(1, 4), None)


def test_one_flat_bar_tells_no_factor() -> None:
    (old,) = map(flat, series(1))

    assert isinstance(judged([old], SPLIT), Revised)


FACTORS = st.one_of(
    st.builds(Fraction, st.integers(1, 20), st.integers(1, 20)),
    st.integers(900, 999).map(lambda n: Fraction(n, 1000)),
).filter(lambda factor: abs(factor - 1) > Fraction(1, 200))


@given(
    factor=FACTORS,
    places=st.integers(2, 4),
    bars=st.integers(2, 20),
    seed=st.integers(0, 10_000),
    scaled=st.booleans(),
)
def test_any_factor_is_found_through_the_rounding(
    factor: Fraction, places: int, bars: int, seed: int, scaled: bool
) -> None:
    volume = 1 / factor if scaled else Fraction(1)

    verdict = judged(series(bars, seed=seed), times(factor, places, volume))

    assert isinstance(verdict, Restated)
    assert verdict.price is not None
    assert abs(verdict.price - factor) <= factor / 500


@given(bars=st.integers(1, 20), seed=st.integers(0, 10_000))
def test_the_same_bars_are_the_same_in_any_order(bars: int, seed: int) -> None:
    old = series(bars, seed=seed)

    assert compare(old[::-1], old) == Same()


@given(bars=st.integers(6, 20), seed=st.integers(0, 10_000), which=st.integers(0, 19))
def test_one_corrected_bar_never_restates_a_series(
    bars: int, seed: int, which: int
) -> None:
    number = which % bars

    verdict = judged(series(bars, seed=seed), at(number, to=closed("0.00")))

    assert isinstance(verdict, Revised)
    assert len(verdict.changes) == 1


@given(
    bars=st.integers(4, 20),
    seeds=st.tuples(st.integers(0, 5_000), st.integers(5_001, 9_999)),
    price=st.floats(10, 500),
)
def test_another_company_is_never_taken_for_a_split(
    bars: int, seeds: tuple[int, int], price: float
) -> None:
    mine, other = seeds

    verdict = compare(series(bars, seed=mine), series(bars, seed=other, price=price))

    assert isinstance(verdict, Unlike)
