"""存下的 K 线和回答放在一起看:值相同就是相同,不管写成什么样。"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from sync.engine.ports import Kline as Bar
from sync.storage.klines import write_klines
from sync.storage.stored import Look, read

from ..rows import MARIADB, kline, part, stock

pytestmark = [pytest.mark.django_db, pytest.mark.runs_on("sqlite", "mariadb")]
COVERED = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC))


def looked(*stored: Bar, answered: list[Bar]) -> Look:
    """存下这些,再看这个回答。"""
    one = stock()
    write_klines([part(one, *stored)])
    look = Look(part(one, *answered), COVERED, answered)
    read([look])
    return look


@pytest.mark.parametrize(
    "text", ["1.5", "1.50000000", "0.00000050", "5E-7", "1E+3", "1234567.12345678"]
)
def test_the_same_values_do_not_differ_however_they_are_written(text: str) -> None:
    bar = kline(2, text)

    look = looked(bar, answered=[bar])

    assert (look.differing(), look.is_stored()) == ([], True)


@pytest.mark.parametrize("name", Bar._fields[1:])
def test_a_change_of_any_number_differs(name: str) -> None:
    bar, one_more = kline(2), {name: Decimal("2.2501")}
    changed = Bar(**bar._asdict() | one_more)

    look = looked(bar, kline(3), answered=[changed, kline(3)])

    assert look.differing() == [changed]


def test_what_was_stored_can_be_read_off() -> None:
    bar = kline(2, "12.34567891" if MARIADB else "12.3456")

    look = looked(bar, answered=[bar])

    assert [Decimal(str(each)) for each in look.values(bar.time)] == list(bar[1:])
