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

from django.utils.translation import gettext as _

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
        why = getattr(error, "strerror", None) or _("it cannot be opened")
        raise Refused([f"{file!r}: {why}."]) from error


def on_line(number: int, fault: object) -> str:
    """第几行有什么毛病。"""
    return _("line %(number)d: %(fault)s") % {"number": number, "fault": fault}


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
                message = _("it has %(cells)d columns, the first line has %(width)d.")
                yield number, message % {"cells": len(cells), "width": width}


def _decoded(data: bytes) -> str:
    if len(data) > LARGEST:
        raise Refused([_("The file is larger than %s bytes.") % f"{LARGEST:,}"])
    if b"\0" in data:
        number = data[: data.index(b"\0")].count(b"\n") + 1
        raise Refused([on_line(number, _("there is a NUL byte in it."))])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        # Not chained: the cause repeats the file's bytes.
        raise Refused([on_line(number, _("it is not UTF-8."))]) from None
    if not text.strip():
        raise Refused([_("The file is empty.")])
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
            message = _("it is not CSV (%s).") % error
            raise Refused([on_line(number, message)]) from error
        if any(cells):
            yield number, cells


def _checked(
    header: list[str], *, required: Collection[str], known: Collection[str]
) -> list[str]:
    names = ", ".join(known)
    if not set(header) & set(known):
        message = _("it has to name the columns; known are %s.") % names
        raise Refused([on_line(1, message)])
    unknown = _("column %(position)d is not known; known are %(names)s.")
    faults = [
        unknown % {"position": position, "names": names}
        for position, column in enumerate(header, start=1)
        if column not in known
    ]
    faults += [
        _("the column %s is there twice.") % column
        for column in known
        if header.count(column) > 1
    ]
    faults += [
        _("the column %s is missing.") % column
        for column in required
        if column not in header
    ]
    if faults:
        raise Refused([on_line(1, fault) for fault in faults])
    return header
