"""读 CSV 文件:第一行是列名,顺序随意,每个毛病都带行号。

No message repeats what a cell holds: in a file whose columns have slipped, any cell may
be a secret.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

LARGEST = 10_000_000


class Refused(Exception):
    """文件不能导入;`reasons` 一条一句。"""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = reasons


def contents(file: str) -> bytes:
    """读出文件的内容,`-` 是标准输入。

    One byte more than is allowed at most, so that an endless file is refused and not
    read. Raises Refused where the file cannot be read.
    """
    try:
        if file == "-":
            return sys.stdin.buffer.read(LARGEST + 1)
        with Path(file).open("rb") as stream:
            return stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it cannot be opened"
        raise Refused([f"{file!r}: {why}."]) from error


class Table:
    """一个 CSV 文件的行。

    Blank lines are passed over. Iterating gives each row's first line number and its
    cells by column, or the reasons why the row is not right.
    """

    def __init__(
        self, data: bytes, *, required: Collection[str], known: Collection[str]
    ) -> None:
        self._rows = _rows(_decoded(data))
        _number, header = next(self._rows, (1, []))
        self._columns = _checked(header, required=required, known=known)

    def __iter__(self) -> Iterator[tuple[int, dict[str, str] | str]]:
        """行号,以及按列名的内容,或者这一行的毛病。"""
        width = len(self._columns)
        for number, cells in self._rows:
            if len(cells) == width:
                yield number, dict(zip(self._columns, cells, strict=True))
            else:
                yield (
                    number,
                    f"it has {len(cells)} columns, the first line has {width}.",
                )


def _decoded(data: bytes) -> str:
    if len(data) > LARGEST:
        raise Refused([f"The file is larger than {LARGEST:,} bytes."])
    if b"\0" in data:
        number = data[: data.index(b"\0")].count(b"\n") + 1
        raise Refused([f"line {number}: there is a NUL byte in it."])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        # Not chained: the cause repeats the file's bytes.
        raise Refused([f"line {number}: it is not UTF-8."]) from None
    if not text.strip():
        raise Refused(["The file is empty."])
    return text


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        number = reader.line_num + 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            raise Refused([f"line {number}: it is not CSV ({error})."]) from error
        if any(cells):
            yield number, cells


def _checked(
    header: list[str], *, required: Collection[str], known: Collection[str]
) -> list[str]:
    names = ", ".join(known)
    if not set(header) & set(known):
        raise Refused([f"line 1: it has to name the columns; known are {names}."])
    reasons = [
        f"line 1: column {position} is not known; known are {names}."
        for position, column in enumerate(header, start=1)
        if column not in known
    ]
    reasons += [
        f"line 1: the column {column} is there twice."
        for column in known
        if header.count(column) > 1
    ]
    reasons += [
        f"line 1: the column {column} is missing."
        for column in required
        if column not in header
    ]
    if reasons:
        raise Refused(reasons)
    return header
