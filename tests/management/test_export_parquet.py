"""export_klines --format parquet。"""

from __future__ import annotations

import csv
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pyarrow import parquet

from sync.services.exporting.stream import HEADER
from tests.rows import bar, stock
from tests.services.exporting.series import expected, put

pytestmark = pytest.mark.django_db


def run(folder: Path, **options: Any) -> None:
    quiet = {"to": str(folder), "format": "parquet", "no_progress": True}
    call_command("export_klines", **quiet | options)


def test_a_folder_by_year_is_read_as_one_table(db: None, tmp_path: Path) -> None:
    stocks = [stock("5"), stock("700"), stock("000001", market="SZ")]
    for each in stocks:
        for day in (date(2023, 12, 29), date(2024, 1, 2), date(2024, 1, 3)):
            bar(each, day)

    run(tmp_path, by="year")

    table = parquet.read_table(tmp_path)
    rows = table.drop_columns("year").to_pylist()
    wanted = csv.DictReader([HEADER.strip(), *expected(stocks)])
    words = {"market", "stock_code", "period"}
    assert sorted(rows, key=_key) == [
        {
            name: date.fromisoformat(text)
            if name == "time"
            else (text if name in words else float(text))
            for name, text in row.items()
        }
        for row in wanted
    ]
    assert str(table.schema.field("close").type) == "double"
    assert str(table.schema.field("time").type) == "date32[day]"


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["market"], row["stock_code"], row["time"]


def test_minutes_have_instants_and_say_what_was_done(db: None, tmp_path: Path) -> None:
    made = stock("NA")  # a code, and no gap
    moment = datetime(2024, 3, 4, 1, 30, tzinfo=UTC)
    put(made, moment, "0.1", period="1m")

    run(tmp_path, resample="5m", adjust="split")

    path = tmp_path / "period=5m/market=HK/klines.parquet"
    table = parquet.ParquetFile(path).read()
    assert str(table.schema.field("time").type) == "timestamp[ms, tz=UTC]"
    assert table["time"].to_pylist() == [moment]
    assert table["stock_code"].to_pylist() == ["NA"]
    assert table["close"].to_pylist() == [0.1]
    facts = table.schema.metadata
    assert facts[b"stocksync.adjust"] == b"split"
    assert facts[b"stocksync.resampled_from"] == b"1m"


def test_without_pyarrow_one_sentence_says_so(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(CommandError, match="pip install -r requirements-parquet"):
        run(tmp_path)
