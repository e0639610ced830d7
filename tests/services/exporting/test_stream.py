"""导出的 CSV:每一行正好是存着的。"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sync.engine.ports import Window
from sync.models import Stock
from sync.services import BadRequest, ExportRequest, export
from sync.services.exporting import reading, stream
from sync.services.exporting.stream import HEADER
from tests.api.rows import split
from tests.rows import bar, stock

from .series import expected, put

pytestmark = pytest.mark.django_db
# Ends of zeros, of one digit only, whole, tiny, and of as many digits as both
# databases keep.
ODD = (
    *("44.86", "100", "0.5", "0.00000001", "0.00012", "1000000", "10.10", "0"),
    *("1234567.12345678", "99999999.9999999", "120", "700.00000001"),
)


def lines(request: ExportRequest) -> list[str]:
    text = "".join(export(request).text())
    assert text.startswith(HEADER)
    assert text.endswith("\n")
    return text.removeprefix(HEADER).splitlines()


@pytest.fixture
def odd(db: None) -> Stock:
    """一只什么数字都有的股票。"""
    made = stock("700")
    for number, value in enumerate(ODD):
        put(made, datetime(2024, 3, 1 + number, tzinfo=UTC), value)
    return made


def test_numbers_have_the_digits_that_are_stored_and_no_zeros_behind(
    odd: Stock,
) -> None:
    found = lines(ExportRequest(markets=("HK",)))

    assert found == expected([odd])
    assert found[0] == "HK,700,day,2024-03-01" + ",44.86" * 6
    assert found[1].endswith("100,100,100,100,100,100")
    assert found[3].split(",")[4] == "0.00000001"


def test_large_volumes_and_turnovers_are_written_out(db: None) -> None:
    made = stock("700")
    big = "123456789012345.67", "12345678901234567890", "100000000000000000"
    for number, value in enumerate(big):
        put(made, datetime(2024, 3, 1 + number, tzinfo=UTC), "1", "1", "1", "1", "1")
        rows = made.kline_set.filter(time=datetime(2024, 3, 1 + number, tzinfo=UTC))
        rows.update(turnover=value)

    found = [line.rpartition(",")[2] for line in lines(ExportRequest())]

    if connection.vendor == "sqlite":  # fifteen digits
        assert found == ["123456789012346", "12345678901234600000", big[2]]
    else:
        assert found == list(big)


def test_a_time_of_minutes_is_an_instant(db: None) -> None:
    made = stock("700")
    put(made, datetime(2024, 3, 4, 1, 30, tzinfo=UTC), "5", period="1m")

    found = lines(ExportRequest(period="1m"))

    assert found == ["HK,700,1m,2024-03-04T01:30:00Z" + ",5" * 6]
    assert found == expected([made], period="1m")


def test_rows_go_by_market_stock_and_time(db: None) -> None:
    made = [stock("9", market="SZ"), stock("9"), stock("5"), stock("10")]
    for each in made:
        for day in (6, 4, 5):
            bar(each, date(2024, 3, day))

    found = [tuple(line.split(",")[:4]) for line in lines(ExportRequest())]

    assert found == sorted(found)
    assert {row[:2] for row in found} == {(s.market, s.stock_code) for s in made}


def test_both_ends_of_the_window_are_included(odd: Stock) -> None:
    wanted = ExportRequest(start=date(2024, 3, 2), end=date(2024, 3, 4))

    assert lines(wanted) == expected([odd])[1:4]


def test_minutes_belong_to_the_exchanges_day(db: None) -> None:
    # 09:30 in Sydney is on the day before in UTC.
    made = stock("BHP", market="AU")
    put(made, datetime(2024, 3, 4, 23, 30, tzinfo=UTC), "5", period="1m")
    day = date(2024, 3, 5)

    wanted = ExportRequest(period="1m", start=day, end=day)

    assert lines(wanted) == expected([made], period="1m")


@pytest.mark.parametrize("more", [{}, {"resample": "5m"}, {"adjust": "split"}], ids=str)
def test_a_series_in_many_pieces_is_whole(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, str]
) -> None:
    made = stock("700")
    for minute in range(32, 60):
        time = datetime(2024, 3, 4, 1, minute, tzinfo=UTC)
        put(made, time, str(minute), period="1m")
        put(made, time + timedelta(days=1), f"{minute / 4}", period="1m")
    split("700", ex_date=date(2024, 3, 5))
    wanted = ExportRequest(period="1m", **more)  # type: ignore[arg-type]
    whole = lines(wanted)

    for module in (reading, stream):
        monkeypatch.setattr(module, "PIECE", 3)
    monkeypatch.setattr(reading, "PLAIN", 5)  # the others wait compressed

    found = [*export(wanted).text()]
    assert "".join(found) == HEADER + "".join(f"{line}\n" for line in whole)
    assert max(text.count("\n") for text in found) == 3
    assert len(whole) == {"resample": 12}.get(next(iter(more), ""), 56)


@pytest.mark.parametrize("together", [1, 2, 100])
def test_chunks_join_without_a_seam(
    monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(reading, "MOST_STOCKS", together)
    made = sorted((stock(str(n)) for n in range(7)), key=lambda s: s.stock_code)
    for each in made[::2]:  # some have none
        bar(each, date(2024, 3, 4))
        bar(each, date(2024, 3, 5))

    assert lines(ExportRequest()) == expected(made)


def test_a_day_of_a_market_takes_few_statements(db: None) -> None:
    made = sorted((stock(str(n)) for n in range(30)), key=lambda s: s.stock_code)
    for each in made:
        bar(each, date(2024, 3, 4))
    day = date(2024, 3, 4)

    with CaptureQueriesContext(connection) as queries:
        found = lines(ExportRequest(markets=("HK",), start=day, end=day))

    assert found == expected(made)
    # The time, the stocks, the bars; SQLite's time is this machine's.
    assert len(queries) <= 3


def test_a_deleted_stock_keeps_its_klines(db: None) -> None:
    gone = stock("700", deleted=True)
    bar(gone, date(2024, 3, 4))

    assert lines(ExportRequest()) == expected([gone])
    assert lines(ExportRequest(codes=("00700",))) == expected([gone])


def test_a_code_says_its_market(db: None) -> None:
    made = stock("600519", market="SH"), stock("600519", market="SZ")
    for each in made:
        bar(each, date(2024, 3, 4))

    assert lines(ExportRequest(codes=("600519.SH",))) == expected(made[:1])


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (ExportRequest(markets=("XX",)), "markets"),
        (ExportRequest(codes=("1",)), "codes"),
        (ExportRequest(codes=("6.00519E+05",)), "codes"),
        (ExportRequest(period="2m"), "period"),
        (ExportRequest(start=date(2024, 3, 2), end=date(2024, 3, 1)), "start"),
    ],
)
def test_what_cannot_be_is_refused(wanted: ExportRequest, field: str) -> None:
    with pytest.raises(BadRequest) as refused:
        export(wanted)

    assert refused.value.field == field


def test_a_statement_takes_fewer_stocks_where_they_have_more_bars() -> None:
    def together(period: str, days: int) -> int:
        end = date(2024, 3, 4)
        window = Window(end - timedelta(days=days - 1), end)
        return reading._together(period, window)

    assert together("day", 1) == reading.MOST_STOCKS
    assert 30 <= together("day", 30_000) <= 50
    assert together("1m", 30_000) < 10
    assert together("month", 30_000) == reading.MOST_STOCKS
