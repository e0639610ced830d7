"""前复权:只调整服务商没有调整的,别的说出来。"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from sync.models import Kline, Split, Stock
from sync.services import ExportRequest, export
from sync.services.exporting import stream
from sync.services.exporting.adjusting import splits_of
from sync.services.exporting.stream import HEADER
from tests.rows import stock

from .series import put

pytestmark = pytest.mark.django_db
DAY, LATER = date(2024, 3, 13), date(2024, 4, 25)


def days(of: Stock, prices: dict[int, str], *, period: str = "day") -> None:
    """三月里这些天的 K 线,成交量一百。"""
    for day, price in prices.items():
        time = datetime(2024, 3, day, 2, tzinfo=UTC)
        time = time if period == "1m" else time.replace(hour=0)
        put(of, time, *[price] * 4, "100", "1000", period=period)


def split(of: Stock, ratio: str = "3:1", day: date = DAY, **columns: Any) -> Split:
    wanted = {"numerator": 1, "denominator": 1, "seen_at": datetime.now(UTC)}
    return Split.objects.create(
        market=of.market,
        stock_code=of.stock_code,
        ex_date=day,
        ratio=ratio,
        **wanted | columns,
    )


def lines(**wanted: Any) -> list[list[str]]:
    made = export(ExportRequest(adjust="split", **wanted))
    text = "".join(made.text()).removeprefix(HEADER)
    return [line.split(",")[3:] for line in text.splitlines()]


CALM = {4: "30", 5: "30", 6: "30", 7: "30", 8: "30", 11: "30", 12: "30"}
FALLEN = {13: "10", 14: "10", 15: "10", 18: "10"}
AS_EVER = {13: "30", 14: "30", 15: "30", 18: "30"}


def test_what_the_provider_has_not_adjusted_is_adjusted(db: None) -> None:
    made = stock("700")
    days(made, CALM | FALLEN)
    split(made)

    found = lines()

    assert found[6] == ["2024-03-12", *["10"] * 4, "300", "1000"]
    assert found[7] == ["2024-03-13", *["10"] * 4, "100", "1000"]
    assert {row[1] for row in found} == {"10"}


def test_what_the_provider_has_adjusted_stays(db: None) -> None:
    made = stock("700")
    days(made, CALM | AS_EVER)
    split(made, adjusted=True, written="new_old")

    assert {(row[1], row[5]) for row in lines()} == {("30", "100")}
    assert export(ExportRequest(adjust="split")).splits == {}


def test_a_split_that_the_bars_do_not_tell_of_is_named_and_left_alone(
    db: None,
) -> None:
    made = stock("700")
    days(made, CALM | {13: "17", 14: "17"})
    split(made)

    told = export(ExportRequest(adjust="split"))

    assert [str(one) for one in told.unknown] == ["HK 700 2024-03-13"]
    assert told.applied == []
    assert lines()[0] == ["2024-03-04", *["30"] * 4, "100", "1000"]


def test_a_split_to_come_is_no_question(db: None) -> None:
    made = stock("700")
    days(made, CALM)
    split(made)

    assert export(ExportRequest(adjust="split")).splits == {}


def test_several_splits_multiply_backwards_and_a_window_sees_later_ones(
    db: None,
) -> None:
    made = stock("700")
    days(made, CALM | FALLEN)
    for number in range(30):  # so many quiet days that the next one is seen
        time = datetime(2024, 4, 1, tzinfo=UTC) + timedelta(days=number)
        put(made, time, *["70" if time.date() >= LATER else "10"] * 4, "100", "1000")
    split(made)
    split(made, ratio="1:7", day=LATER)  # a consolidation of seven

    found = lines(end=date(2024, 3, 14))

    # 30 ÷ 3 × 7; volumes × 3 ÷ 7, to four places.
    assert found[0] == ["2024-03-04", *["70"] * 4, "42.8571", "1000"]
    assert found[-1] == ["2024-03-14", *["70"] * 4, "14.2857", "1000"]
    assert lines(start=LATER)[0][1] == "70"


def test_prices_are_exact_decimals(db: None) -> None:
    made = stock("700")
    prices = dict.fromkeys(CALM, "31.00000001")
    days(made, prices | FALLEN)
    split(made)

    assert lines()[0][1] == "10.33333334"


def test_minutes_are_judged_by_their_own_bars(db: None) -> None:
    made = stock("700")
    days(made, CALM | FALLEN)
    days(made, CALM | AS_EVER, period="1m")  # adjusted by the provider
    split(made)

    assert {row[1] for row in lines(period="1m")} == {"30"}
    assert {row[1] for row in lines()} == {"10"}


def test_weeks_are_made_of_adjusted_days(db: None) -> None:
    made = stock("700")
    days(made, CALM | FALLEN)
    split(made)

    assert lines(resample="week") == [
        ["2024-03-04", *["10"] * 4, "1500", "5000"],
        ["2024-03-11", *["10"] * 4, "900", "5000"],
        ["2024-03-18", *["10"] * 4, "100", "1000"],
    ]


def test_a_history_that_is_restated_meanwhile_is_not_adjusted_twice(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stock("700")
    days(made, CALM | FALLEN)
    split(made)
    restated: list[int] = []
    wanted = export(ExportRequest(adjust="split"))
    original = splits_of

    def restate_first(*args: Any, **named: Any) -> Any:
        if not restated:
            before = Kline.objects.filter(time__lt=datetime(2024, 3, 13, tzinfo=UTC))
            restated.append(before.update(open=10, high=10, low=10, close=10))
        return original(*args, **named)

    monkeypatch.setattr(stream, "splits_of", restate_first)
    text = "".join(wanted.text()).removeprefix(HEADER)

    assert restated == [7]
    assert {line.split(",")[4] for line in text.splitlines()} == {"10"}
