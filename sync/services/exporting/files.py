"""把导出写进文件夹:一个文件写完整了才有它的名字,没有变的不再写。"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

from django.utils.translation import gettext as _

from ..clock import now
from ..errors import Refused
from .changes import MARGIN, Changed, changed
from .formats import Format, opened
from .layouts import By, Target, targets
from .record import Record, record_of
from .stream import Export

# How much has been done: stocks, of how many, rows so far.
Watch = Callable[[int, int, int], object]
# A series whose files are read one after the other may be restated in between; then
# they are read again, so often at most.
PASSES = 3
SHORT = timedelta(minutes=1)  # longer than a transaction


class Interrupted(Exception):
    """有人要求停下;写完的文件都在。"""


@dataclass(slots=True)
class Written:
    """写了什么:行数、文件(相对于文件夹)、字节数、秒数。"""

    rows: int = 0
    files: list[str] = field(default_factory=list)
    bytes: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Folder:
    """一次往一个文件夹里的导出。"""

    export: Export
    path: Path
    by: By
    form: Format
    record: Record
    watch: Watch
    stop: Event
    done: dict[str, tuple[int, int]] = field(default_factory=dict)  # rows, bytes

    @property
    def made_of(self) -> str:
        """返回文件里有什么,由请求决定的那些。"""
        wanted = self.export.request
        given = {
            "by": self.by,
            "codes": " ".join(sorted(wanted.codes)),
            "start": wanted.start or "",
            "end": wanted.end or "",
            "adjust": wanted.adjust,
            "from": wanted.source,
        }
        return ",".join(f"{name}={value}" for name, value in given.items())

    def write(self) -> None:
        """写变了的和没有的文件,直到没有一个序列只换了一部分文件。"""
        wanted = self._targets()
        self._clean(wanted)
        after = self.export.request.changed_since
        stale = self._stale(wanted, after=after)
        for _pass in range(PASSES):
            as_of = now()
            self._write_all(stale, as_of=as_of)
            stale = self._torn(stale, as_of=as_of)
            if not stale:
                return

    def _targets(self) -> list[Target]:
        request, stocks = self.export.request, self.export.stocks
        return targets(request, stocks, by=self.by, suffix=f".{self.form}")

    def _clean(self, wanted: Sequence[Target]) -> None:
        """去掉一根 K 线也没有了的年份。"""
        names = {str(target.path) for target in wanted}
        places = {target.path.parts[:2] for target in wanted}
        for name in self.record.of(self.made_of):
            inside = tuple(name.split("/")[:2]) in places
            if inside and name.endswith(f".{self.form}") and name not in names:
                self.record.drop(name)

    def _stale(
        self, wanted: Sequence[Target], *, after: datetime | None
    ) -> list[Target]:
        """列出要写的;别的一直到现在都没有变,记下来。"""
        at = self.export.as_of
        known: dict[datetime, Changed] = {}
        stale = []
        for target in wanted:
            read_at = self.record.read_at(str(target.path), made_of=self.made_of)
            if read_at is None:
                stale.append(target)
                continue
            since = after or read_at
            if since not in known:
                known[since] = self._changed(since)
            if known[since].touches(target.stocks, target.window.end):
                stale.append(target)
            elif since <= read_at:  # between the two nobody has looked
                self._note(target, as_of=at)
        return stale

    def _changed(self, after: datetime, *, margin: timedelta = MARGIN) -> Changed:
        wanted, stocks = self.export.request, self.export.stocks
        return changed(wanted, stocks, after=after, margin=margin)

    def _torn(self, written: Sequence[Target], *, as_of: datetime) -> list[Target]:
        """列出有序列变了、而且不只在最后一个文件里变了的文件。"""
        if self.by is not By.YEAR or not written:
            return []
        found = self._changed(as_of, margin=SHORT)
        last = max(target.window.start for target in written)
        back = {stock: day for stock, day in found.since.items() if day < last}
        return [
            target
            for target in written
            if Changed(back).touches(target.stocks, target.window.end)
        ]

    def _write_all(self, stale: Sequence[Target], *, as_of: datetime) -> None:
        counted = self.export.counted
        counted.stocks = 0
        total = sum(len(target.stocks) for target in stale)

        def step() -> None:
            self.watch(counted.stocks, total, counted.rows)
            if self.stop.is_set():
                raise Interrupted

        for target in stale:
            self._write(target, step=step)
            self._note(target, as_of=as_of)

    def _note(self, target: Target, *, as_of: datetime) -> None:
        self.record.note(str(target.path), made_of=self.made_of, as_of=as_of)

    def _write(self, target: Target, *, step: Callable[[], None]) -> None:
        name, path = str(target.path), self.path / target.path
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        before = self.export.counted.rows
        facts = self.export.facts(target.stocks)
        period = self.export.request.made
        try:
            with opened(part, self.form, period=period, facts=facts) as file:
                for text in self.export.part(target.stocks, window=target.window):
                    file.write(text)
                    step()
            if rows := self.export.counted.rows - before:
                part.replace(path)
                self.done[name] = rows, path.stat().st_size
            else:
                self.done.pop(name, None)
                path.unlink(missing_ok=True)
        finally:
            part.unlink(missing_ok=True)
        step()


def write_files(
    export: Export, folder: Path, *, by: By, form: Format, watch: Watch, stop: Event
) -> Written:
    """把一次导出写进 `folder`,返回写了什么。

    Files that were written by the same request and have not changed since are left.
    Raises Interrupted as soon as `stop` is set: files that are whole stay, of others
    nothing is left. Raises Refused where the folder cannot be written to.
    """
    began = time.monotonic()
    try:
        with record_of(folder) as record:
            job = Folder(export, folder, by, form, record, watch, stop)
            job.write()
    except OSError as error:
        text = _("%(path)s cannot be written: %(why)s.")
        values = {"path": error.filename or folder, "why": error.strerror or error}
        raise Refused(text % values) from error
    return Written(
        rows=sum(rows for rows, _size in job.done.values()),
        files=list(job.done),
        bytes=sum(size for _rows, size in job.done.values()),
        seconds=time.monotonic() - began,
    )
