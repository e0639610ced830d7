"""一个文件夹记着:每个文件是什么时候、照什么请求读的。

So an export that was stopped goes on with the files that it lacks, and the next one
writes only what has changed.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict

from django.utils.translation import gettext as _

from ..errors import Refused

NAME = ".stocksync-export.json"
EVERY = 1.0  # seconds between two savings, for folders of thousands of files


class Known(TypedDict):
    """一个文件:什么时候读的,照什么请求,多大;没有 K 线的大小是 0。"""

    as_of: str
    made_of: str
    size: int


class Record:
    """一个文件夹的记录;`record_of` 打开它。"""

    def __init__(self, folder: Path, files: dict[str, Known]) -> None:
        self._folder = folder
        self._files = files
        self._saved = time.monotonic()

    def read_at(self, path: str, *, made_of: str) -> datetime | None:
        """返回一个文件是什么时候读的;没有、或者照别的请求读的是 None。"""
        known = self._files.get(path)
        if not known or known["made_of"] != made_of:
            return None
        path_there = self._folder / path
        size = path_there.stat().st_size if path_there.is_file() else 0
        return datetime.fromisoformat(known["as_of"]) if size == known["size"] else None

    def of(self, made_of: str) -> list[str]:
        """列出照这个请求写的文件。"""
        return [p for p, known in self._files.items() if known["made_of"] == made_of]

    def note(self, path: str, *, made_of: str, as_of: datetime) -> None:
        """记下一个写好的,或者没有变的文件;没有 K 线的没有文件。"""
        file = self._folder / path
        size = file.stat().st_size if file.is_file() else 0
        known: Known = {"as_of": as_of.isoformat(), "made_of": made_of, "size": size}
        self._files[path] = known
        if time.monotonic() - self._saved > EVERY:
            self.save()

    def drop(self, path: str) -> None:
        """删掉一个里面已经什么也没有的文件。"""
        self._files.pop(path, None)
        (self._folder / path).unlink(missing_ok=True)

    def save(self) -> None:
        """存下来,整个地。"""
        part = self._folder / f"{NAME}.part"
        part.write_text(json.dumps({"files": self._files}, indent=0))
        part.replace(self._folder / NAME)
        self._saved = time.monotonic()


@contextmanager
def record_of(folder: Path) -> Iterator[Record]:
    """打开一个文件夹的记录,最后存下;别的导出正在写它时抛出 Refused。"""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{NAME}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = _("Another export is writing to %(path)s.")
            raise Refused(text % {"path": folder}) from None
        record = Record(folder, _files(folder / NAME))
        try:
            yield record
        finally:
            # On a full disk the files that were written are written again, no more.
            with suppress(OSError):
                record.save()


def _files(path: Path) -> dict[str, Known]:
    """Whatever cannot be read is as if it were not there: all is written again."""
    try:
        found: Any = json.loads(path.read_text())["files"]
        return {
            str(name): {
                "as_of": str(known["as_of"]),
                "made_of": str(known["made_of"]),
                "size": int(known["size"]),
            }
            for name, known in found.items()
            if datetime.fromisoformat(known["as_of"]).tzinfo
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
