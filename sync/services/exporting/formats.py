"""一个文件怎样写:CSV,或者 Parquet。

Both take the database's lines. Parquet is made of them by pyarrow, which reads CSV in
its own threads: no number passes through Python.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from contextlib import AbstractContextManager
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

from django.utils.translation import gettext as _

from sync.engine.periods import PERIODS

from ..checks import check_choice
from ..errors import Refused
from .stream import COLUMNS, HEADER

# To a row group; a million bars take some 80 MB of memory on their way.
GROUP = 16 * 1024 * 1024  # characters


class Format(StrEnum):
    """文件的格式,也是文件名的结尾。"""

    CSV = "csv"
    PARQUET = "parquet"


class Writer(Protocol):
    """写一个文件的人。"""

    def write(self, text: str) -> object:
        """写一些完整的行。"""


def export_format(name: str) -> Format:
    """读出一种格式;不认识时抛出 BadRequest,没有 pyarrow 时抛出 Refused。"""
    wanted = Format(check_choice("format", name, Format))
    if wanted is Format.PARQUET and importlib.util.find_spec("pyarrow") is None:
        text = _(
            "Parquet needs the package pyarrow: "
            ".venv/bin/python -m pip install -r requirements-parquet.txt"
        )
        raise Refused(text)
    return wanted


def opened(
    path: Path, form: Format, *, period: str, facts: Mapping[str, str]
) -> AbstractContextManager[Writer]:
    """打开一个新文件来写;`facts` 是 Parquet 里的说明。"""
    if form is Format.CSV:
        return _Csv(path)
    return _Parquet(path, period=period, facts=facts)


class _Csv:
    """CSV,第一行是列名。"""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Writer:
        self._file = self._path.open("w", encoding="utf-8", newline="")
        self._file.write(HEADER)
        return self._file

    def __exit__(self, *_error: object) -> None:
        self._file.close()


class _Parquet:
    """Parquet:价格是 float64,时间是日期或者 UTC 的时刻。

    The columns that a folder's name says as well have the type that readers of such
    folders give them.
    """

    def __init__(self, path: Path, *, period: str, facts: Mapping[str, str]) -> None:
        self._path = path
        self._kept: list[str] = []
        self._length = 0
        self._schema = _schema(period, facts)

    def __enter__(self) -> Writer:
        import pyarrow.parquet  # noqa: PLC0415 - an extra

        self._file = self._path.open("wb")
        self._writer = pyarrow.parquet.ParquetWriter(
            self._file, self._schema, compression="zstd"
        )
        return self

    def __exit__(self, *error: object) -> None:
        try:
            if error == (None, None, None):
                self._flush()
            self._writer.close()
        finally:
            self._file.close()

    def write(self, text: str) -> None:
        """写一些完整的行。"""
        self._kept.append(text)
        self._length += len(text)
        if self._length >= GROUP:
            self._flush()

    def _flush(self) -> None:
        from pyarrow import csv  # noqa: PLC0415

        if not self._kept:
            return
        lines = "".join(self._kept).encode()
        self._kept, self._length = [], 0
        table = csv.read_csv(
            BytesIO(lines),
            csv.ReadOptions(column_names=list(COLUMNS)),
            convert_options=csv.ConvertOptions(
                column_types=self._schema,
                # A code may be NA, and is no gap.
                strings_can_be_null=False,
                null_values=[],
            ),
        )
        self._writer.write_table(table.cast(self._schema))


def _schema(period: str, facts: Mapping[str, str]) -> Any:
    import pyarrow as pa  # noqa: PLC0415

    word = pa.dictionary(pa.int32(), pa.string())
    time = pa.timestamp("s", "UTC") if PERIODS[period].intraday else pa.date32()
    types = {"market": word, "stock_code": pa.string(), "period": word, "time": time}
    columns = [(name, types.get(name, pa.float64())) for name in COLUMNS]
    return pa.schema(columns, metadata={f"stocksync.{k}": v for k, v in facts.items()})
