"""export_klines:文件、标准输出、JSON、退出码。"""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from sync.models import Stock
from sync.services import (
    ExportInterrupted,
    ExportRequest,
    Format,
    export,
    write_files,
)
from sync.services.exporting.layouts import By
from sync.services.exporting.stream import HEADER
from tests.api.rows import split
from tests.rows import bar, stock
from tests.services.exporting.series import expected, put

pytestmark = pytest.mark.django_db


@pytest.fixture
def stocks(db: None) -> list[Stock]:
    """三只股票,两个市场,两年;还有一只没有 K 线的。"""
    made = [stock("5"), stock("700"), stock("000001", market="SZ")]
    for each in made:
        for day in (date(2023, 12, 29), date(2024, 1, 2), date(2024, 1, 3)):
            bar(each, day)
    stock("1")
    return made


def run(**options: Any) -> str:
    out = StringIO()
    call_command("export_klines", **{"no_progress": True} | options, stdout=out)
    return out.getvalue()


def files(folder: Path) -> dict[str, list[str]]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            head, *lines = path.read_text().splitlines()
            assert head + "\n" == HEADER
            found[str(path.relative_to(folder))] = lines
    return found


def test_a_file_for_each_market(stocks: list[Stock], tmp_path: Path) -> None:
    run(to=str(tmp_path))

    assert files(tmp_path) == {
        "period=day/market=HK/klines.csv": expected(stocks[:2]),
        "period=day/market=SZ/klines.csv": expected(stocks[2:]),
    }


def test_a_file_for_each_stock(stocks: list[Stock], tmp_path: Path) -> None:
    stock_of_slash = stock("A/B")
    bar(stock_of_slash, date(2024, 1, 2))

    run(to=str(tmp_path), by="stock", market=["hk"])

    assert files(tmp_path) == {
        "period=day/market=HK/5.csv": expected(stocks[:1]),
        "period=day/market=HK/700.csv": expected(stocks[1:2]),
        "period=day/market=HK/A%2FB.csv": expected([stock_of_slash]),
    }


def test_a_file_for_each_year(stocks: list[Stock], tmp_path: Path) -> None:
    run(to=str(tmp_path), by="year", market=["HK"])

    first, second = (expected([each]) for each in stocks[:2])
    assert files(tmp_path) == {
        "period=day/market=HK/year=2023/klines.csv": [first[0], second[0]],
        "period=day/market=HK/year=2024/klines.csv": [*first[1:], *second[1:]],
    }


def test_a_window_and_a_stock(stocks: list[Stock], tmp_path: Path) -> None:
    run(to=str(tmp_path), by="year", stock=["00700"], end="2023-12-31")

    assert files(tmp_path) == {
        "period=day/market=HK/year=2023/klines.csv": expected(stocks[1:2])[:1]
    }


def test_to_the_output(stocks: list[Stock]) -> None:
    assert run(to="-") == HEADER + "\n".join(expected(stocks)) + "\n"


def test_json_says_what_was_written(stocks: list[Stock], tmp_path: Path) -> None:
    told = json.loads(run(to=str(tmp_path), json=True))

    paths = [tmp_path / name for name in told["files"]]
    assert told["rows"] == 9
    assert told["files"] == [
        f"period=day/market={market}/klines.csv" for market in ("HK", "SZ")
    ]
    assert told["bytes"] == sum(path.stat().st_size for path in paths)
    assert told["seconds"] >= 0


def test_nothing_to_export_is_said(db: None, tmp_path: Path) -> None:
    assert "Nothing was written" in run(to=str(tmp_path))
    assert json.loads(run(to=str(tmp_path), json=True))["files"] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"market": ["XX"]}, "Unknown market"),
        ({"stock": ["1234"]}, "Unknown stock: 1234."),
        ({"period": "2m"}, "Unknown period"),
        ({"start": "20240101"}, "--start '20240101' is not a date"),
        ({"start": "2024-01-02", "end": "2024-01-01"}, "is after the end"),
        ({"format": "xlsx"}, "Unknown value 'xlsx' of format"),
        ({"format": "parquet", "to": "-"}, "Standard output takes CSV only."),
        ({"adjust": "both"}, "Unknown value 'both' of adjust: known are none, split."),
        ({"resample": "2m"}, "Unknown value '2m' of resample"),
        ({"period": "week", "adjust": "split"}, "with resample=week"),
        ({"to": ""}, "--to names no folder."),
        ({"by": "week"}, "Unknown value 'week' of by: known are market, year, stock."),
    ],
)
def test_a_bad_value_is_one_sentence(
    db: None, tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(CommandError, match=said.replace("'", ".")):
        run(**{"to": str(tmp_path)} | options)


def test_a_folder_that_cannot_be_written_to_is_one_sentence(
    stocks: list[Stock], tmp_path: Path
) -> None:
    there = tmp_path / "file"
    there.write_text("")

    with pytest.raises(CommandError, match="cannot be written: Not a dir"):
        run(to=str(there / "below"))


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half(
    stocks: list[Stock], tmp_path: Path
) -> None:
    folder = tmp_path / "period=day/market=HK"
    folder.mkdir(parents=True)
    (folder / ".klines.csv.part").symlink_to("/dev/full")

    with pytest.raises(CommandError, match="No space left on device"):
        run(to=str(tmp_path))

    assert list(folder.iterdir()) == []


def test_who_stops_it_keeps_the_files_that_are_whole(
    stocks: list[Stock], tmp_path: Path
) -> None:
    stop, seen = Event(), []

    def watch(done: int, total: int, rows: int) -> None:
        seen.append((done, total, rows))
        if done > 3:
            stop.set()

    with pytest.raises(ExportInterrupted):
        write_files(
            export(ExportRequest()),
            tmp_path,
            by=By.MARKET,
            form=Format.CSV,
            watch=watch,
            stop=stop,
        )

    assert list(files(tmp_path)) == ["period=day/market=HK/klines.csv"]
    assert not list(tmp_path.rglob("*.part"))
    assert seen[-1] == (4, 4, 9)


def test_a_split_that_nobody_can_tell_is_said(
    db: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = stock("700")
    for day, price in ((4, "30"), (5, "17")):
        put(made, datetime(2024, 3, day, tzinfo=UTC), price)
    split("700", ex_date=date(2024, 3, 5), ratio="3:1")

    run(to=str(tmp_path), adjust="split", stderr=sys.stderr)

    assert "Not adjusted for 1 splits" in capsys.readouterr().err
