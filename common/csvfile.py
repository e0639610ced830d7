"""读 CSV 文件:第一行是列名,顺序随意,每个毛病都带行号。

As spreadsheets write it: UTF-8 with or without a BOM, UTF-16, or GBK from a Chinese
Excel; commas, semicolons or tabs; column names in any case; empty cells at the ends of
lines.

No message repeats what a cell holds: in a file whose columns have slipped, any cell may
be a secret.
"""

from __future__ import annotations

import codecs
import csv
import io
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from unicodedata import category

from django.utils.translation import gettext as _

LARGEST = 10_000_000
# The first of them where the first line decides nothing.
DELIMITERS = (",", ";", "\t")
# Of more columns than any table has, each would be a fault of its own.
MOST_COLUMNS = 200
# So many faults are told; after so many the rest is not looked at.
TOLD, ENOUGH = 100, 1000
# What part of a GBK file's characters is of GB 2312.
COMMON = 0.75


class Refused(Exception):
    """文件不能导入;`reasons` 一条一句。"""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = reasons


class Faults:
    """文件里的毛病:说出前面的,数出后面的,实在太多就不再读。

    A file of a megabyte may have half a million of them.
    """

    def __init__(self) -> None:
        self.count = 0
        self._told: list[str] = []

    def __bool__(self) -> bool:
        return self.count > 0

    @property
    def enough(self) -> bool:
        """不必再读了。"""
        return self.count >= ENOUGH

    def add(self, *reasons: str) -> None:
        """记下一个或几个。"""
        self._told += reasons[: TOLD - len(self._told)]
        self.count += len(reasons)

    def listed(self, *, stopped: bool = False) -> list[str]:
        """一条一句;还有的只有数目,`stopped` 说后面的没有读。"""
        more = self.count - len(self._told)
        if stopped:
            tail = _("and %s more; what follows was not looked at") % f"{more:,}"
        else:
            tail = _("and %s more") % f"{more:,}"
        return [*self._told, tail] if more else self._told


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
    """说出第几行有什么毛病。"""
    return _("line %(number)d: %(fault)s") % {"number": number, "fault": fault}


class Table:
    """逐行读一个 CSV 文件,按列名给出每一行。

    Blank lines are passed over. Iterating gives each row's first line number and its
    cells by column, or the reasons why the row is not right.
    """

    def __init__(
        self, data: bytes, *, required: Collection[str], known: Collection[str]
    ) -> None:
        text = _decoded(data)
        self._rows = _rows(text, delimiter=_delimiter(text, known))
        _number, header = next(self._rows, (1, []))
        if len(header) > MOST_COLUMNS:
            message = _("it has %(count)s columns; known are %(names)s.")
            words = {"count": f"{len(header):,}", "names": ", ".join(known)}
            raise Refused([on_line(1, message % words)])
        names = [_column(cell) for cell in _without_empty_end(header)]
        self._columns = _checked(names, required=required, known=known)

    def __iter__(self) -> Iterator[tuple[int, dict[str, str] | str]]:
        """逐行给出行号,以及按列名的内容,或者这一行的毛病。"""
        width = len(self._columns)
        for number, row in self._rows:
            cells = row[:width] + _without_empty_end(row[width:])
            if len(cells) == width:
                yield number, dict(zip(self._columns, cells, strict=True))
            else:
                message = _("it has %(cells)d columns, the first line has %(width)d.")
                yield number, message % {"cells": len(cells), "width": width}


def _decoded(data: bytes) -> str:
    if len(data) > LARGEST:
        raise Refused([_("The file is larger than %s bytes.") % f"{LARGEST:,}"])
    text = _text(data)
    if "\0" in text:
        number = text[: text.index("\0")].count("\n") + 1
        raise Refused([on_line(number, _("there is a NUL byte in it."))])
    if not text.strip():
        raise Refused([_("The file is empty.")])
    return text


def _text(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    else:
        encoding = "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if (chinese := _chinese(data)) is not None:
            return chinese
        number = data[: error.start].count(b"\n") + 1
        said = _("it is not UTF-8. Save the file as CSV UTF-8.")
        # Not chained: the cause repeats the file's bytes.
        raise Refused([on_line(number, said)]) from None


def _chinese(data: bytes) -> str | None:
    """一个 GBK 文件的文字;别的编码返回 None。

    Almost any bytes can be read as GBK, into rare characters. In a real file nearly all
    are of the common set, GB 2312.
    """
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        return None
    wide = [character for character in text if not character.isascii()]
    common = sum(bool(character.encode("gb2312", "ignore")) for character in wide)
    return text if common >= COMMON * len(wide) else None


def _delimiter(text: str, known: Collection[str]) -> str:
    """哪个分隔符让第一行有最多认识的列名。"""
    first = next((line for line in text.splitlines() if line.strip()), "")

    def count(delimiter: str) -> int:
        cells = first.split(delimiter, MOST_COLUMNS)[:MOST_COLUMNS]
        names = (_column(name.strip().strip('"')) for name in cells)
        return sum(name in known for name in names)

    return max(DELIMITERS, key=count)


def _column(cell: str) -> str:
    """列名:不分大小写,空格当下划线,看不见的字符不算。"""
    seen = "".join(c for c in cell if category(c) != "Cf")
    return "_".join(seen.lower().split())


def _without_empty_end(cells: list[str]) -> list[str]:
    """Spreadsheets write the empty cells of columns that have been used once."""
    while cells and not cells[-1]:
        cells = cells[:-1]
    return cells


def _rows(text: str, *, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
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
