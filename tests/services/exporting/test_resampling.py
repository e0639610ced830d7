"""做成的 K 线和服务商自己的一样。"""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from sync.engine.periods import PERIODS
from sync.models import Stock
from sync.services import BadRequest, ExportRequest, export
from sync.services.exporting.layouts import By, targets
from sync.services.exporting.resampling import SOURCES, begins, resampled
from sync.services.exporting.stream import HEADER
from sync.simulator import Simulator
from tests.rows import bar, stock

from .series import put

# Half days lie in the last thirty sessions: 24 Dec in Hong Kong and London.
WINTER = datetime(2026, 1, 3, tzinfo=UTC)
# Daylight saving began on 29 Mar.
SPRING = datetime(2026, 4, 18, tzinfo=UTC)
# From a Monday that is a first to a Sunday that is a last.
YEARS = date(2019, 7, 1), date(2025, 8, 31)
MARKETS = ("HK", "SH", "JP", "GB", "AU")
MINUTES = (date(2025, 11, 20), date(2026, 4, 17))


def truth(
    sim: Simulator, market: str, code: str, period: str, *span: date
) -> list[str]:
    style = "%Y-%m-%dT%H:%M:%SZ" if PERIODS[period].intraday else "%Y-%m-%d"
    lines = []
    for time, *values in sim.truth(market, code, period, span[0], span[1]):
        numbers = [f"{value.normalize():f}" for value in values]
        lines.append(",".join([time.strftime(style), *numbers]))
    return lines


@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize("now", [WINTER, SPRING], ids=["half days", "clocks change"])
def test_bars_are_those_of_the_provider(now: datetime) -> None:
    compared = 0
    with Simulator(now=now) as sim:
        for market in MARKETS:
            code = min(sim.codes(market))
            for period, source in SOURCES.items():
                span = MINUTES if PERIODS[period].intraday else YEARS
                shorter = truth(sim, market, code, source, *span)
                made = list(resampled(shorter, begins(market, period)))
                wanted = truth(sim, market, code, period, *span)
                assert made == wanted, (market, period)
                compared += len(made)
    assert compared > 1_000


def test_a_lunch_break_begins_new_bars() -> None:
    start = begins("HK", "60m")
    times = ("01:30", "03:59", "05:00", "05:59", "06:00", "08:09")  # UTC

    found = [start(f"2026-03-10T{clock}:00Z")[11:16] for clock in times]

    assert found == ["01:30", "03:30", "05:00", "05:00", "06:00", "08:00"]


def test_a_day_that_no_calendar_knows_counts_from_the_full_hour() -> None:
    assert begins("VN", "60m")("2026-03-10T02:47:00Z") == "2026-03-10T02:00:00Z"
    assert begins("HK", "60m")("1999-03-10T02:47:00Z") == "1999-03-10T02:00:00Z"


def lines(request: ExportRequest) -> list[str]:
    text = "".join(export(request).text())
    return text.removeprefix(HEADER).splitlines()


@pytest.fixture
def weeks(db: None) -> Stock:
    """2023-12-28 到 2024-01-12 的每个工作日,收盘是日子的号。"""
    made = stock("700")
    for day in (28, 29):
        put(made, datetime(2023, 12, day, tzinfo=UTC), str(day))
    for day in (2, 3, 4, 5, 8, 9, 10, 11, 12):
        put(made, datetime(2024, 1, day, tzinfo=UTC), str(day))
    return made


def test_a_week_is_whole_though_the_window_ends_in_it(weeks: Stock) -> None:
    wanted = ExportRequest(
        resample="week", start=date(2023, 12, 29), end=date(2024, 1, 9)
    )

    # As of stored weeks: those whose Monday lies in the window.
    assert lines(wanted) == [
        "HK,700,week,2024-01-01,2,5,2,5,14,14",
        "HK,700,week,2024-01-08,8,12,8,12,50,50",
    ]


def test_months_by_year_lose_no_bar(weeks: Stock) -> None:
    for period, months in (("month", ["2023", "2024"]), ("week", ["2023", "2024"])):
        request = ExportRequest(resample=period).checked()
        made = export(request)
        found = targets(request, made.stocks, by=By.YEAR, suffix=".csv")

        parts = [[*made.part(t.stocks, window=t.window)] for t in found]

        assert [str(t.path.parent.name) for t in found] == [f"year={y}" for y in months]
        whole = HEADER + "".join(text for part in parts for text in part)
        assert whole == "".join(export(request).text())


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (ExportRequest(resample="day"), "resample"),
        (ExportRequest(resample="1m"), "resample"),
        (ExportRequest(period="5m", resample="week"), "resample"),
        (ExportRequest(period="week", adjust="split"), "adjust"),
        (ExportRequest(adjust="both"), "adjust"),
    ],
)
def test_what_cannot_be_made_is_refused(
    db: None, wanted: ExportRequest, field: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        export(wanted)

    assert refused.value.field == field


def test_minutes_are_read_for_longer_minutes(db: None) -> None:
    made = stock("700")
    for minute in range(30, 40):
        put(made, datetime(2024, 3, 4, 1, minute, tzinfo=UTC), "5", period="1m")
    bar(made, date(2024, 3, 4))

    found = lines(ExportRequest(resample="5m"))

    assert found == [
        f"HK,700,5m,2024-03-04T01:{minute}:00Z,5,5,5,5,25,25" for minute in (30, 35)
    ]
