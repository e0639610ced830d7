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


@pytest.mark.parametrize("text", ["10.50", "+10.5", "010.5", "10.5e0"])
def test_takes_a_number_however_it_is_written(text: str) -> None:
    (kline,) = build([bar(o=text)], request=asking()).klines

    assert kline.open == Decimal("10.5")


def test_takes_a_number_without_digits_on_one_side_of_the_point() -> None:
    (kline,) = build([bar(o="10.", l=".5")], request=asking()).klines

    assert (kline.open, kline.low) == (Decimal(10), Decimal("0.5"))


def test_takes_bars_keyed_by_the_code() -> None:
    page = build({"700": [bar()], "9988": [bar(1)]}, request=asking())

    assert [kline.time for kline in page.klines] == [at(START)]


@pytest.mark.parametrize(
    "missing", [{"tu": None}, {"tu": 0}, {"tu": " "}, {"tu": "NaN"}]
)
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


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([10, 11], 11),
        ([11, 10], 10),
        ([10, 11, 10], 10),
        ([10, 99], 10),  # the later one is unsound
        ([99, 10], 10),
    ],
)
def test_of_one_stamp_twice_the_later_in_the_answer_is_kept(
    values: list[int], kept: int
) -> None:
    twice = [bar(1, c=close) for close in values]

    page = build([bar(0), *twice, bar(2)], request=asking())

    assert [kline.close for kline in page.klines] == [11, kept, 11]
    assert not page.bad


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
    evening_before = bar(t=START + 2 * DAY + 2 * 3_600_000)

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


SUNDAY = START + 6 * DAY
EVENING = 23 * 3_600_000 + 5 * 3_600_000  # in New York, UTC


def test_a_monday_stamped_an_hour_early_is_no_sunday() -> None:
    early = [bar(t=SUNDAY + EVENING + day * DAY) for day in range(5)]

    page = build(early, request=asking(market="US"))

    assert [kline.time for kline in page.klines] == [
        at(START + day * DAY) for day in range(7, 12)
    ]


@pytest.mark.parametrize("day", [5, 6])
def test_a_session_on_a_weekend_is_kept(day: int) -> None:
    page = build([bar(4), bar(day)], request=asking(market="IN"))

    assert [kline.time for kline in page.klines] == [
        at(START + 4 * DAY),
        at(START + day * DAY),
    ]


def test_no_page_checked_in_columns_holds_a_weekend_without_trade() -> None:
    assert pages._in_columns([bar(4), bar(5, v=0)], asking()) is None


@pytest.mark.parametrize("market", ["HK", "US", "GB", "IN"])
@pytest.mark.parametrize("days", [(0, 2), (2, 4), (1, 3, 4), (-1, 3)])
def test_a_week_has_one_bar_whatever_its_stamps(
    market: str, days: tuple[int, ...]
) -> None:
    rows = [bar(day, c=9 + place) for place, day in enumerate(days)]

    others = [bar(7 * week) for week in range(-5, 6) if week]

    page = build([*others, *rows], request=asking(market=market, period="week"))

    assert [kline.time for kline in page.klines] == [
        at(START + 7 * week * DAY) for week in range(-5, 6)
    ]
    assert page.klines[5].close == 8 + len(days)


def test_a_month_has_one_bar_whatever_its_stamps() -> None:
    rows = [bar(9, c=9), bar(25, c=10), bar(31), bar(59, c=9)]

    page = build(rows, request=asking(period="month"))

    assert [kline.time for kline in page.klines] == [at(START), at(START + 31 * DAY)]
    assert [kline.close for kline in page.klines] == [10, 9]


def test_an_intraday_bar_keeps_its_instant() -> None:
    stamp = START + 5 * MINUTE

    (kline,) = build([bar(t=stamp)], request=asking(period="5m")).klines

    assert kline.time == at(stamp)


UNSOUND: list[tuple[Any, str]] = [
    (bar(1, h=8), "high is below low"),
    (bar(1, o=13), "open or close lies outside low and high"),
    (bar(1, o=8), "open or close lies outside low and high"),
    (bar(1, c=13), "open or close lies outside low and high"),
    (bar(1, c=8), "open or close lies outside low and high"),
    (bar(1, l=0), "a price is not above zero"),
    (bar(1, l=-1), "a price is not above zero"),
    (bar(1, l=Decimal("1E-9")), "a price is not above zero"),
    (bar(1, h=10**12), "a price is out of range"),
    (bar(1, h=Decimal("1E+999999")), "a number is out of range"),
    (bar(1, v=-1), "volume or turnover is out of range"),
    (bar(1, v=10**18), "volume or turnover is out of range"),
    (bar(1, tu=-1), "volume or turnover is out of range"),
    (bar(1, tu=10**22), "volume or turnover is out of range"),
    (bar(1, o=None), "a field is missing"),
    (bar(1, o="NaN"), "a field is not a number"),
    (bar(1, o="Infinity"), "a field is not a number"),
    (bar(1, o="1_0"), "a field is not a number"),
    (bar(1, o=""), "a field is not a number"),
    (bar(1, o=True, l=1), "a field is not a number"),
    (bar(1, o=[10]), "a field is not a number"),
    (bar(1) | {"c": None}, "a field is missing"),
    (bar(1, o=0, h=0, l=0), "a price is not above zero"),  # but traded
    (bar(1, o=0, h=0, l=0, v=0), "a price is not above zero"),  # turned over
    (bar(1, o=0, h=0, l=0, c=0, v=0, tu="-"), "a field is not a number"),
    (bar(1, l=0, v=None), "a price is not above zero"),  # turned over
    ({"t": START + DAY, "open": 10, "volume": 0}, "a field is missing"),
    (bar(5, v=0), "a weekend, and nothing was traded"),
    (bar(6, v=0), "a weekend, and nothing was traded"),
    ("text", "bar 2: not an object"),
    ([1], "bar 2: not an object"),
    (None, "bar 2: not an object"),
    (bar(t=-1), "bar 2: its time is before 1971 or after 2100"),
    (bar(t=0), "bar 2: its time is before 1971 or after 2100"),
    (bar(t=4_102_444_800_000), "bar 2: its time is before 1971 or after 2100"),
    (bar(t=10**30), "bar 2: its time is before 1971 or after 2100"),
    (bar(t=True), "bar 2: a field is not a number"),
    (bar(t="yesterday"), "bar 2: a field is not a number"),
    (bar(t=None), "bar 2: a field is missing"),
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


def test_keeps_what_the_provider_sent_of_an_unsound_bar() -> None:
    odd = bar(1, l=0, o=Decimal("10.50"), v="x\ny", tu="9" * 500)
    odd["h"] = [12]

    page = build([bar(0), odd], request=asking())

    (bad,) = page.bad
    assert bad.time == at(START + DAY)
    sent = f"t={START + DAY} o=10.50 h=list l=0 c=11 v=x y tu=(500 characters)"
    assert bad.values == sent


NOT_TRADED = [
    bar(1, o=None, h=None, l=None, v=0, tu=0),
    bar(1, o=None, h=None, l=None, v=None, tu=None),
    bar(1, o=11, h=0, l=0, c=11, v=0, tu=0),
    bar(1, l=0, v=0, tu=None),
    bar(1, h=0, v=None, tu=0),
    bar(1, o=None, v="", tu=None),
    bar(1, o=0, h=0, l=0, c=11, v=0, tu=0),
    bar(1, o=0, h=0, l=0, c=0, v=0, tu=0),
    bar(1, o=0, h=0, l=0, c=None, v=0, tu=None),
    bar(1, o=0, h=0, l=0, c="whatever", v=None, tu=None),
    bar(1, o="0", h="0.00", l=Decimal("0E-4"), v="0", tu="0"),
    bar(1, v=0, tu=0) | {"o": None, "h": None, "l": None},
    bar(1) | {"o": None, "h": 0, "l": None, "c": None, "v": None, "tu": None},
    bar(5, o=0, h=0, l=0, v=0, tu=0),
    bar(1, o="", h=" ", l="", v="", tu=""),
    bar(1, o="NaN", h="NaN", l="NaN", v=0, tu="nan"),
]


@pytest.mark.parametrize("suspended", NOT_TRADED)
def test_a_suspended_day_is_no_bar_and_no_fault(suspended: dict[str, Any]) -> None:
    page = build([bar(0), suspended, bar(2)], request=asking())

    assert [kline.time for kline in page.klines] == [at(START), at(START + 2 * DAY)]
    assert list(page.idle) == [at(suspended["t"])]
    assert not page.bad


def test_a_page_of_suspended_days_tells_how_far_back_it_goes() -> None:
    days = [bar(day, o=0, h=0, l=0, v=0, tu=0) for day in range(3)]

    page = build(days, request=asking())

    assert (list(page.klines), list(page.bad)) == ([], [])
    assert page.oldest_ms == START
    assert len(page.idle) == 3


WITHOUT_VOLUME = [
    bar(1, v=None),
    bar(1) | {"v": None},
    bar(1, v=0),
    bar(1, v=""),
    bar(1, v="NaN"),
]


@pytest.mark.parametrize("without", WITHOUT_VOLUME)
def test_a_bar_without_volume_has_none(without: dict[str, Any]) -> None:
    page = build([bar(0), without], request=asking())

    assert [kline.volume for kline in page.klines] == [500, 0]
    assert not page.bad


def cents(**prices: str) -> dict[str, Any]:
    usual = {"o": "10.5", "h": "11", "l": "10.25", "c": "10.75"}
    return bar(1, **{name: Decimal(text) for name, text in (usual | prices).items()})


WIDENED = [
    (cents(c="11.01"), ("11.01", "10.25")),
    (cents(o="11.01"), ("11.01", "10.25")),
    (cents(o="10.24"), ("11", "10.24")),
    (cents(o="11.01", c="10.24"), ("11.01", "10.24")),
    (cents(c="11.0001"), ("11.0001", "10.25")),
    (cents(o="10.5", h="10.49", l="10.5", c="10.5"), ("10.5", "10.5")),
    (cents(c="11.0000000001"), ("11", "10.25")),  # less than what is stored
    # Single precision: seven digits, and some noise behind.
    (cents(h="10.9899998", c="10.99"), ("10.99", "10.25")),
    (cents(l="10.2500003", o="10.25"), ("11", "10.25")),
    (cents(h="1099000.06", c="1099000.5", l="10"), ("1099000.5", "10")),
]


@pytest.mark.parametrize(("odd", "kept"), WIDENED)
def test_widens_high_and_low_by_one_rounding_step(
    odd: dict[str, Any], kept: tuple[str, str]
) -> None:
    page = build([bar(0), odd], request=asking())

    assert (page.klines[1].high, page.klines[1].low) == tuple(map(Decimal, kept))
    assert not page.bad


@pytest.mark.parametrize(
    "odd",
    [
        cents(c="11.02"),
        cents(c="11.0002", l="10.0000001"),
        cents(c="11.0002", o="10.0001"),
        cents(o="10.23"),
    ],
)
def test_rejects_what_is_further_outside(odd: dict[str, Any]) -> None:
    page = build([bar(0), odd], request=asking())

    assert [bad.text for bad in page.bad] == ["open or close lies outside low and high"]


def test_the_rounding_step_is_that_of_the_whole_page() -> None:
    odd = cents(o="10.5", h="10.5", l="10.4", c="10.6")

    assert len(build([bar(0), odd], request=asking()).klines) == 2
    finer = cents(c="10.7512") | {"t": START}
    assert len(build([finer, odd], request=asking()).klines) == 1


@pytest.mark.parametrize("sent", ["00700", "0700", "700"])
@pytest.mark.parametrize("asked", ["700", "00700"])
def test_the_key_of_a_code_may_have_leading_zeros(sent: str, asked: str) -> None:
    assert build({sent: [bar()]}, request=asking(code=asked)).klines


@pytest.mark.parametrize("sent", ["aapl", "Aapl", "AAPL"])
def test_the_key_of_a_code_may_be_in_another_case(sent: str) -> None:
    assert build({sent: [bar()]}, request=asking(code="AAPL")).klines


def test_counts_a_bad_bars_stamp_as_the_oldest() -> None:
    page = build([bar(0, l=0), bar(1)], request=asking())

    assert page.oldest_ms == START


def test_a_page_of_bad_bars_only_is_no_bad_answer() -> None:
    page = build([bar(0, l=0), bar(1, l=0)], request=asking())

    assert list(page.klines) == []
    assert len(page.bad) == 2
    assert page.oldest_ms == START


def test_bars_without_any_price_are_a_bad_answer() -> None:
    rows = [{"t": START + DAY * day, "open": 10, "close": 11} for day in range(3)]

    with pytest.raises(BadAnswer, match="has a price"):
        build(rows, request=asking())


def test_a_price_of_zero_where_nothing_has_a_volume_is_rejected() -> None:
    page = build([bar(0, v=None), bar(1, l=0, v=None, tu=0)], request=asking())

    assert [bad.text for bad in page.bad] == ["a price is not above zero"]


def test_bars_that_another_replaces_are_counted() -> None:
    page = build([bar(0), bar(1), bar(1, v=7), bar(1, v=8)], request=asking())

    assert page.doubled == 2
    assert [kline.volume for kline in page.klines] == [500, 8]
    assert build([bar(0), bar(1)], request=asking()).doubled == 0


@pytest.mark.parametrize("rows", [["a", "b"], [bar(t=None)], [None]])
def test_bars_without_any_time_are_a_bad_answer(rows: list[Any]) -> None:
    with pytest.raises(BadAnswer, match="has a time"):
        build(rows, request=asking())


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
    weekdays = [day for day in range(30) if day % 7 < 5]
    bars = [bar(day, o=Decimal("9.5"), tu=day) for day in weekdays][::step]

    page = pages._in_columns(bars, asking())

    assert page == pages._bar_by_bar(bars, asking())
