"""图上调整过、合成过的 K 线:和导出的一样。"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from sync import services
from sync.engine.periods import PERIODS
from sync.models import Stock
from sync.services.data import history as module
from sync.services.exporting.resampling import plain
from sync.services.exporting.stream import HEADER
from tests.rows import stock

from ..exporting.series import put
from ..exporting.test_adjusting import CALM, DAY, FALLEN, days, split

pytestmark = pytest.mark.django_db


def drawn(found: services.History) -> list[str]:
    style = "%Y-%m-%dT%H:%M:%SZ" if PERIODS[found.period].intraday else "%Y-%m-%d"
    return [
        ",".join(
            (
                bar.time.strftime(style),
                *map(plain, (bar.open, bar.high, bar.low, bar.close)),
                *map(plain, (bar.volume, bar.turnover)),
            )
        )
        for bar in found.bars
    ]


def exported(**wanted: str) -> list[str]:
    text = "".join(services.export(services.ExportRequest(**wanted)).text())  # type: ignore[arg-type]
    lines = text.removeprefix(HEADER).splitlines()
    return [line.split(",", 3)[3] for line in lines]


def rising(of: Stock, count: int) -> None:
    """从 2024-01-01 起每天一根,价格一天比一天高。"""
    for number in range(count):
        time = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number)
        put(of, time, *[str(number + 1)] * 4, "100", "1000")


@pytest.mark.parametrize("resample", ["", "week", "month"])
def test_days_are_adjusted_and_made_longer_as_in_the_export(resample: str) -> None:
    one = stock()
    days(one, CALM | FALLEN)
    split(one)

    found = services.history(one, "day", adjust="split", resample=resample)

    assert drawn(found) == exported(adjust="split", resample=resample)
    assert [str(each) for each in found.applied] == [f"HK 700 {DAY} 3/1"]
    assert {bar.close for bar in found.bars} == {10}
    assert {kline.close for kline in found.klines} == {10, 30}


def test_minutes_are_made_longer_as_in_the_export() -> None:
    one = stock()
    for number in range(40):
        time = datetime(2026, 3, 2, 1, 30, tzinfo=UTC) + timedelta(minutes=number)
        put(one, time, *[str(number + 1)] * 4, "100", "1000", period="1m")

    found = services.history(one, "1m", resample="15m")

    assert drawn(found) == exported(period="1m", resample="15m")
    assert len(found.bars) == 3


def test_a_week_is_whole_in_one_of_two_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOGETHER", 1)
    one = stock()
    rising(one, 60)

    newest = services.history(one, "day", resample="week", bars=17)
    assert newest.span
    older = services.history(
        one, "day", resample="week", bars=100, until=newest.span.start
    )

    known = {bar.time for bar in newest.bars}
    parts = [bar for bar in older.bars if bar.time not in known] + [*newest.bars]
    whole = services.history(one, "day", resample="week").bars
    assert (newest.older, older.older) == (True, False)
    assert parts == whole
    assert date(2024, 1, 1) == whole[0].time.date()
