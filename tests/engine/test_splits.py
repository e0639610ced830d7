"""拆股的比例是哪个方向、调整过没有:从除权日前后的价格看,一张表。"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from sync.engine import splits
from sync.engine.ports import Kline
from sync.engine.splits import Seen, Written

EX = datetime(2026, 3, 10, tzinfo=UTC)
NEW_OLD, OLD_NEW = Written.NEW_OLD, Written.OLD_NEW


def bar(time: datetime, open_: str, close: str) -> Kline:
    first, last = Decimal(open_), Decimal(close)
    high, low = max(first, last), min(first, last)
    return Kline(time, first, high, low, last, Decimal(1), Decimal(1))


def history(*closes: str) -> list[Kline]:
    first = EX - timedelta(days=len(closes))
    return [bar(first + timedelta(days=n), each, each) for n, each in enumerate(closes)]


QUIET = history("398", "401", "399", "400")


@pytest.mark.parametrize(
    ("text", "opened", "seen"),
    [
        ("4:1", "101", Seen(NEW_OLD, False)),
        ("1:4", "101", Seen(OLD_NEW, False)),
        ("1:4", "1590", Seen(NEW_OLD, False)),
        ("4:1", "1590", Seen(OLD_NEW, False)),
        ("4:1", "405", Seen(None, True)),
        ("1:4", "380", Seen(None, True)),
        ("10:1", "200", Seen()),
        ("3:2", "266", Seen(NEW_OLD, False)),
        ("3:2", "600", Seen(OLD_NEW, False)),
        ("3:2", "400", Seen(None, True)),
        ("101:100", "396", Seen()),
    ],
)
def test_the_step_tells_the_direction_and_whether_it_was_adjusted(
    text: str, opened: str, seen: Seen
) -> None:
    ratio = splits.read_ratio(text)
    assert ratio

    assert splits.look(ratio, QUIET, bar(EX, opened, opened)) == seen


@pytest.mark.parametrize(
    ("before", "after"), [([], bar(EX, "100", "100")), (QUIET, None), ([], None)]
)
def test_without_bars_on_both_sides_nothing_is_seen(
    before: Sequence[Kline], after: Kline | None
) -> None:
    assert splits.look(Fraction(4), before, after) == Seen()


def test_of_a_stock_that_jumps_every_night_a_small_split_is_not_told() -> None:
    wild = history("400", "520", "390", "400")

    assert splits.look(Fraction(3, 2), wild, bar(EX, "267", "267")) == Seen()
    assert splits.look(Fraction(100), wild, bar(EX, "4", "4")) == Seen(NEW_OLD, False)


@pytest.mark.parametrize(
    ("text", "ratio"),
    [
        ("1:10", Fraction(1, 10)),
        (" 10 : 1 ", Fraction(10)),
        ("1.5:1", Fraction(3, 2)),
        ("100:10", Fraction(10)),
        ("1:1", None),
        ("0:1", None),
        ("1:0", None),
        ("-1:2", None),
        ("1:2:3", None),
        ("10", None),
        ("", None),
        ("a:b", None),
        ("NaN:1", None),
        ("Infinity:1", None),
    ],
)
def test_a_ratio_is_read_or_refused(text: str, ratio: Fraction | None) -> None:
    assert splits.read_ratio(text) == ratio


@pytest.mark.parametrize(
    ("ratio", "factor", "written"),
    [
        (Fraction(4), 0.25, NEW_OLD),
        (Fraction(1, 4), 0.25, OLD_NEW),
        (Fraction(1, 4), 4.0, NEW_OLD),
        (Fraction(4), 0.98, None),
        (Fraction(4), 0.01, None),
    ],
)
def test_the_factor_of_a_restatement_tells_the_direction(
    ratio: Fraction, factor: float, written: Written | None
) -> None:
    assert splits.direction(ratio, factor) == written


@pytest.mark.parametrize(
    ("seen", "usual"),
    [
        ([], NEW_OLD),
        (["", ""], NEW_OLD),
        (["old_new", ""], OLD_NEW),
        (["old_new", "new_old"], NEW_OLD),
        (["old_new", "new_old", "old_new"], OLD_NEW),
    ],
)
def test_what_is_not_seen_is_read_as_most_are(seen: list[str], usual: Written) -> None:
    assert splits.notation(seen) == usual


def test_four_for_one_are_four_and_one() -> None:
    assert splits.shares(Fraction(4), NEW_OLD) == Fraction(4)
    assert splits.shares(Fraction(1, 4), OLD_NEW) == Fraction(4)
