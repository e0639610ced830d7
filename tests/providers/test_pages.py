"""From the provider's bars to a page."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from typing import Any

import pytest

from sync.engine.errors import BadAnswer
from sync.engine.ports import Kline
from sync.providers import pages
from sync.providers.pages import build

from .server import DAY, START, asking, bar

MINUTE = 60_000


def at(stamp: int) -> datetime:
    return datetime.fromtimestamp(stamp / 1000, UTC)


@pytest.mark.parametrize("data", [None, {}, [], {"700": None}, {"700": []}])
def test_nothing_is_an_empty_page(data: Any) -> None:
    page = build(data, request=asking())

    assert list(page.klines) == []
    assert page.oldest_ms is None
    assert [bar.text for bar in page.bad] == []


@pytest.mark.parametrize("data", ["text", 5, True, {"9988": []}, {"700": "x"}])
def test_another_shape_is_a_bad_answer(data: Any) -> None:
    with pytest.raises(BadAnswer):
        build(data, request=asking())


def test_a_bar_becomes_a_kline_in_the_databases_scale() -> None:
    page = build([bar(o=Decimal("10.5"), tu=Decimal("5400.55555"))], request=asking())

    (kline,) = page.klines
    assert kline == Kline(
        at(START),
        Decimal("10.5"),
        Decimal(12),
        Decimal(9),
        Decimal(11),
        Decimal(500),
        Decimal("5400.5556"),
    )
    assert [str(number) for number in kline[1:]] == [
        "10.50000000",
        "12.00000000",
        "9.00000000",
        "11.00000000",
        "500.0000",
        "5400.5556",
    ]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("10.000000005", "10.00000000"),
        ("10.000000015", "10.00000002"),
        ("10.0000000051", "10.00000001"),
    ],
)
def test_rounds_half_to_even(sent: str, kept: str) -> None:
    (kline,) = build([bar(o=Decimal(sent))], request=asking()).klines

    assert str(kline.open) == kept


def test_does_not_depend_on_the_threads_decimal_context() -> None:
    with localcontext(prec=3):
        (kline,) = build([bar(v=123456789)], request=asking()).klines

    assert kline.volume == 123456789


def test_takes_numbers_written_as_text() -> None:
    texts = {name: str(value) for name, value in bar(o=Decimal("1.05E1")).items()}

    (kline,) = build([texts], request=asking()).klines

    assert kline.time == at(START)
    assert kline.open == Decimal("10.5")


def test_takes_bars_keyed_by_the_code() -> None:
    page = build({"700": [bar()], "9988": [bar(1)]}, request=asking())

    assert [kline.time for kline in page.klines] == [at(START)]


@pytest.mark.parametrize("missing", [{"tu": None}, {"tu": 0}])
def test_a_bar_without_turnover_has_none(missing: dict[str, Any]) -> None:
    (kline,) = build([bar(**missing)], request=asking()).klines

    assert kline.turnover == 0


def test_null_turnover_is_zero() -> None:
    (kline,) = build([bar() | {"tu": None}], request=asking()).klines

    assert kline.turnover == 0


def test_brings_any_order_into_one() -> None:
    bars = [bar(day) for day in range(30)]
    shuffled = random.Random(7).sample(bars, len(bars))

    page = build(shuffled, request=asking())

    assert [kline.time for kline in page.klines] == [at(b["t"]) for b in bars]
    assert page.oldest_ms == START


def test_the_same_bar_twice_counts_once() -> None:
    page = build([bar(o=10), bar(o=Decimal("10.000")), bar(1)], request=asking())

    assert len(page.klines) == 2
    assert [bar.text for bar in page.bad] == []


def test_two_different_bars_of_one_stamp_are_a_bad_answer() -> None:
    with pytest.raises(BadAnswer, match="2024-01-01"):
        build([bar(c=10), bar(c=11)], request=asking())


@pytest.mark.parametrize("period", ["day", "week", "month"])
def test_of_two_stamps_on_one_trade_date_the_later_is_kept(period: str) -> None:
    early, late = bar(c=10), bar(c=11, t=START + 3 * 3_600_000)

    page = build([late, early], request=asking(period=period))

    (kline,) = page.klines
    assert kline.close == 11
    assert kline.time == at(START)
    assert page.oldest_ms == START


def test_stamps_of_mixed_kinds_still_come_in_the_order_of_their_dates() -> None:
    midnight = bar(t=START + 2 * DAY)
    evening_before = bar(t=START + 2 * DAY + 3_600_000)

    page = build([midnight, evening_before], request=asking(market="US"))

    assert [kline.time for kline in page.klines] == [
        at(START + DAY),
        at(START + 2 * DAY),
    ]


@pytest.mark.parametrize("hours", [0, -8, 1.5])
def test_every_kind_of_daily_stamp_gives_its_trade_date(hours: float) -> None:
    stamp = START + int(hours * 3_600_000)

    (kline,) = build([bar(t=stamp)], request=asking()).klines

    assert kline.time == at(START)


def test_an_intraday_bar_keeps_its_instant() -> None:
    stamp = START + 5 * MINUTE

    (kline,) = build([bar(t=stamp)], request=asking(period="5m")).klines

    assert kline.time == at(stamp)


UNSOUND: list[tuple[Any, str]] = [
    (bar(1, h=8), "2024-01-02: high is below low"),
    (bar(1, o=13), "2024-01-02: open or close lies outside low and high"),
    (bar(1, o=8), "2024-01-02: open or close lies outside low and high"),
    (bar(1, c=13), "2024-01-02: open or close lies outside low and high"),
    (bar(1, c=8), "2024-01-02: open or close lies outside low and high"),
    (bar(1, l=0), "2024-01-02: a price is not above zero"),
    (bar(1, l=-1), "2024-01-02: a price is not above zero"),
    (bar(1, l=Decimal("1E-9")), "2024-01-02: a price is not above zero"),
    (bar(1, h=10**12), "2024-01-02: a price is out of range"),
    (bar(1, h=Decimal("1E+999999")), "2024-01-02: a number is out of range"),
    (bar(1, v=-1), "2024-01-02: volume or turnover is out of range"),
    (bar(1, v=10**18), "2024-01-02: volume or turnover is out of range"),
    (bar(1, tu=-1), "2024-01-02: volume or turnover is out of range"),
    (bar(1, tu=10**22), "2024-01-02: volume or turnover is out of range"),
    (bar(1, o=None), "2024-01-02: no field o"),
    (bar(1, v=None), "2024-01-02: no field v"),
    (bar(1, o="NaN"), "2024-01-02: a field is not a number"),
    (bar(1, o="Infinity"), "2024-01-02: a field is not a number"),
    (bar(1, o="1_0"), "2024-01-02: a field is not a number"),
    (bar(1, o=""), "2024-01-02: a field is not a number"),
    (bar(1, o=True, l=1), "2024-01-02: a field is not a number"),
    (bar(1, o=[10]), "2024-01-02: a field is not a number"),
    (bar(1) | {"c": None}, "2024-01-02: a field is not a number"),
    ("text", "bar 2: not an object"),
    ([1], "bar 2: not an object"),
    (None, "bar 2: not an object"),
    (bar(t=-1), "bar 2: its time is before 1971 or after 2100"),
    (bar(t=0), "bar 2: its time is before 1971 or after 2100"),
    (bar(t=4_102_444_800_000), "bar 2: its time is before 1971 or after 2100"),
    (bar(t=10**30), "bar 2: its time is before 1971 or after 2100"),
    (bar(t=True), "bar 2: a field is not a number"),
    (bar(t="yesterday"), "bar 2: a field is not a number"),
    (bar(t=None), "bar 2: a field is not a number"),
    (
        bar(t=Decimal("1704067200000.5")),
        "bar 2: its time is not a whole number of milliseconds since 1970",
    ),
    (
        bar(t=Decimal("1E+999999")),
        "bar 2: its time is not a whole number of milliseconds since 1970",
    ),
]


@pytest.mark.parametrize(("unsound", "told"), UNSOUND)
def test_leaves_out_a_bar_that_cannot_be_right(unsound: Any, told: str) -> None:
    page = build([bar(0), unsound, bar(2)], request=asking())

    assert [kline.time for kline in page.klines] == [at(START), at(START + 2 * DAY)]
    assert [bar.text for bar in page.bad] == [told]


@pytest.mark.parametrize(
    "sound",
    [
        bar(h=10**12 - 2),
        bar(v=0, tu=0),
        bar(v=10**18 - 2),
        bar(tu=10**22 - 2),
        bar(o=9, h=9, l=9, c=9),
        bar(l=Decimal("1E-8")),
        bar(t=4_102_444_799_999),
    ],
)
def test_keeps_a_bar_at_the_edge(sound: Any) -> None:
    page = build([sound], request=asking())

    assert len(page.klines) == 1
    assert [bar.text for bar in page.bad] == []


def test_tells_the_minute_of_a_bad_intraday_bar() -> None:
    bars = [bar(t=START), bar(t=START + MINUTE, l=0)]

    page = build(bars, request=asking(period="1m"))

    assert [bar.text for bar in page.bad] == [
        "2024-01-01 00:01 UTC: a price is not above zero"
    ]


def test_counts_a_bad_bars_stamp_as_the_oldest() -> None:
    page = build([bar(0, l=0), bar(1)], request=asking())

    assert page.oldest_ms == START


def test_only_bad_bars_are_a_bad_answer() -> None:
    with pytest.raises(BadAnswer, match=r"All 2 bars are unusable.*price"):
        build([bar(0, l=0), bar(1, l=0)], request=asking())


ODD: list[Any] = [None, True, "1.5", "NaN", 0, -1, 10**30, Decimal("1E-9"), [1]]


def outcome(path: Any, rows: list[Any]) -> Any:
    try:
        return path(rows, asking())
    except BadAnswer as error:
        return str(error)


@pytest.mark.parametrize("seed", range(60))
def test_a_page_checked_in_columns_is_what_the_loop_makes_of_it(seed: int) -> None:
    dice = random.Random(seed)
    bars = [bar(day, c=dice.randint(9, 12)) for day in range(30)]
    rows = dice.choice([bars, bars[::-1], [*bars, bars[3]], dice.sample(bars, 30)])
    for _ in range(dice.randint(0, 2)):
        dice.choice(rows)[dice.choice("tohlcv")] = dice.choice(ODD)

    quick, careful = outcome(pages._in_columns, rows), outcome(pages._bar_by_bar, rows)

    assert quick in (None, careful)


@pytest.mark.parametrize("step", [1, -1])
def test_a_page_as_it_should_be_is_checked_in_columns(step: int) -> None:
    bars = [bar(day, o=Decimal("9.5"), tu=day) for day in range(30)][::step]

    page = pages._in_columns(bars, asking())

    assert page == pages._bar_by_bar(bars, asking())
