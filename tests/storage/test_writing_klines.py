"""写 K 线和覆盖范围:一分不差,相同的不再改写。"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Context, Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from sync.engine.ports import Kline as Bar
from sync.engine.ports import Part, Window
from sync.models import Coverage, Kline, Stock
from sync.storage import klines
from sync.storage.klines import write_coverage, write_klines

from ..rows import MARIADB, kline, on_mariadb, part, stock

pytestmark = pytest.mark.django_db
EXTREMES = [
    "123456.78901234",
    "0.00000001",
    "1E-8",
    "0E-8",
    "0",
    "1.10",
    "12E-1",
    "1E+3",
    "9.87654E+7",
    "1234567.12345678",
    "99999999999.99999999",
    "12345678901.23456789",
]


def written(*parts: Part) -> int:
    """写入,返回数据库真正插入或改写了多少行。

    MariaDB tells a client that counts found rows, which Django does, of each row it
    was sent; its own counters know better.
    """
    before = _rows_touched()
    with transaction.atomic():
        write_klines(parts)
    return _rows_touched() - before


def _rows_touched() -> int:
    with connection.cursor() as cursor:
        if not MARIADB:
            cursor.execute("SELECT total_changes()")
            return int(cursor.fetchone()[0])
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_update'")
        updated = int(cursor.fetchone()[1])
    return updated + Kline.objects.count()


def closes(of: Stock) -> list[Decimal]:
    rows = Kline.objects.filter(stock=of).order_by("time")
    return list(rows.values_list("close", flat=True))


@pytest.mark.parametrize("text", EXTREMES)
def test_a_number_reads_back_as_it_was_written(text: str) -> None:
    one, value = stock(), Decimal(text)
    bar = Bar(
        datetime(2026, 3, 2, tzinfo=UTC),
        value,
        value,
        value,
        value,
        volume=round(value, 4),
        turnover=round(value, 4),
    )
    # SQLite has no decimals: Django's fields read 15 significant digits from it.
    keeps = Context(prec=20 if MARIADB else 15).create_decimal

    write_klines([part(one, bar)])

    row = Kline.objects.get()
    assert (row.open, row.high, row.low, row.close) == (keeps(value),) * 4
    assert (row.volume, row.turnover) == (keeps(bar.volume), keeps(bar.turnover))


@on_mariadb
def test_the_widest_numbers_of_the_columns_fit() -> None:
    price, volume = Decimal("999999999999.99999999"), Decimal("999999999999999999.9999")
    turnover = Decimal("9999999999999999999999.9999")
    moment = datetime(2026, 3, 2, tzinfo=UTC)

    write_klines(
        [part(stock(), Bar(moment, price, price, price, price, volume, turnover))]
    )

    row = Kline.objects.get()
    assert (row.open, row.volume, row.turnover) == (price, volume, turnover)


def test_a_bar_is_found_by_its_time() -> None:
    one = stock()
    moment = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
    bar = kline(2)._replace(time=moment)

    write_klines([part(one, bar, period="1m")])

    assert Kline.objects.get(stock=one, period="1m", time=moment).time == moment
    assert Kline.objects.filter(time__lte=moment).count() == 1


def test_the_same_bars_again_rewrite_nothing() -> None:
    one, other = stock("1"), stock("2")
    texts = ["1.50000000", "0.12345678", "1E+3", "1234567.12345678"]
    bars = [kline(day, text) for day, text in enumerate(texts, 2)]
    parts = [part(one, *bars), part(other, *bars)]
    first = written(*parts)

    again = written(*parts)

    assert (first, again) == (8, 0)


def test_only_changed_bars_are_rewritten() -> None:
    one = stock()
    written(part(one, kline(2), kline(3), kline(4)))

    rewritten = written(part(one, kline(2), kline(3, "1.6"), kline(4), kline(5)))

    assert rewritten == 2
    assert closes(one) == [Decimal(text) for text in ("1.5", "1.6", "1.5", "1.5")]


@pytest.mark.parametrize("name", Bar._fields[1:])
def test_a_change_of_any_number_is_written(name: str) -> None:
    one, other = stock(), {name: Decimal("2.25")}
    changed = Bar(**kline(2)._asdict() | other)
    written(part(one, kline(2)))

    written(part(one, changed))

    assert getattr(Kline.objects.get(), name) == Decimal("2.25")


@pytest.mark.parametrize("count", [1, 3, 4, 7])
def test_every_row_is_written_however_they_fall_into_statements(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(klines, "FIRST_ROWS", 2)
    monkeypatch.setattr(klines, "ROWS" if MARIADB else "TOGETHER", 3)
    one, other = stock("1"), stock("2")
    bars = [kline(day) for day in range(1, count + 1)]

    with CaptureQueriesContext(connection) as queries:
        write_klines([part(one, *bars), part(other, *bars)])

    assert (len(closes(one)), len(closes(other))) == (count, count)
    if MARIADB:
        assert len(queries) == 1 + math.ceil((2 * count - 2) / 3)
    else:
        # It takes whole statements in one go, and rows one by one in another.
        whole, rest = divmod(2 * count, 3)
        assert len(queries) == bool(whole) + bool(rest)


def test_nothing_to_write_writes_nothing() -> None:
    assert written() == 0
    assert written(part(stock())) == 0


def test_periods_and_codes_that_differ_by_case_do_not_collide() -> None:
    small, capital = stock("aapl", market="US"), stock("AAPL", market="US")

    write_klines(
        [
            part(small, kline(2, "1"), period="1m"),
            part(small, kline(2, "2"), period="1M"),
            part(capital, kline(2, "3"), period="1m"),
        ]
    )

    found = Kline.objects.filter(stock__stock_code="aapl", period="1m")
    assert [row.close for row in found] == [Decimal(1)]
    assert Kline.objects.count() == 3
    assert Stock.objects.get(stock_code="AAPL", market="US") == capital


def window(first: int, last: int) -> Window:
    return Window(date(2026, 3, first), date(2026, 3, last))


def cover(of: Stock, *windows: Window | None, period: str = "day") -> None:
    write_coverage([part(of, covered=each, period=period) for each in windows])


def covered(of: Stock, *, period: str = "day") -> Sequence[Window]:
    return [row.window for row in Coverage.objects.filter(stock=of, period=period)]


@pytest.mark.parametrize(
    ("windows", "joined"),
    [
        ([window(2, 4)], window(2, 4)),
        ([window(2, 4), window(5, 9)], window(2, 9)),
        ([window(5, 9), window(2, 4)], window(2, 9)),
        ([window(2, 9), window(4, 5)], window(2, 9)),
        ([window(2, 4), window(6, 9)], window(2, 4)),
        ([window(2, 4), None], window(2, 4)),
    ],
)
def test_coverage_is_joined(windows: list[Window | None], joined: Window) -> None:
    at_once, one_by_one = stock("1"), stock("2")

    cover(at_once, *windows)
    for each in windows:
        cover(one_by_one, each)

    assert covered(at_once) == covered(one_by_one) == [joined]


def test_coverage_is_kept_by_stock_and_period() -> None:
    one, other = stock("1"), stock("2")

    cover(one, window(2, 4))
    cover(one, window(5, 9), period="1m")
    cover(one, window(6, 9), period="1M")
    cover(other, window(3, 3))

    assert covered(one) == [window(2, 4)]
    assert covered(one, period="1m") == [window(5, 9)]
    assert covered(one, period="1M") == [window(6, 9)]
    assert covered(other) == [window(3, 3)]


def test_coverage_that_has_not_changed_is_not_written_again() -> None:
    one = stock()
    cover(one, window(2, 9))

    with CaptureQueriesContext(connection) as queries:
        cover(one, window(3, 4))

    assert [query["sql"][:6] for query in queries] == ["SELECT"]


def test_without_coverage_nobody_is_asked() -> None:
    one = stock()

    with CaptureQueriesContext(connection) as queries:
        cover(one, None)

    assert (len(queries), covered(one)) == (0, [])
