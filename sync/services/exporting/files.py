"""把导出写进文件夹:一个文件写完整了才有它的名字。"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from django.utils.translation import gettext as _

from ..errors import Refused
from .formats import Format, opened
from .layouts import By, Target, targets
from .stream import Export

# How much has been done: stocks, of how many, rows so far.
Watch = Callable[[int, int, int], object]


class Interrupted(Exception):
    """有人要求停下;写完的文件都在。"""


@dataclass(slots=True)
class Written:
    """写了什么:行数、文件(相对于文件夹)、字节数、秒数。"""

    rows: int = 0
    files: list[str] = field(default_factory=list)
    bytes: int = 0
    seconds: float = 0.0


def write_files(
    export: Export, folder: Path, *, by: By, form: Format, watch: Watch, stop: Event
) -> Written:
    """把一次导出写进 `folder`,返回写了什么。

    Raises Interrupted as soon as `stop` is set: files that are whole stay, of others
    nothing is left. Raises Refused where the folder cannot be written to.
    """
    began = time.monotonic()
    wanted = targets(export.request, export.stocks, by=by, suffix=f".{form}")
    total = sum(len(target.stocks) for target in wanted)
    written = Written()

    def step() -> None:
        watch(export.counted.stocks, total, export.counted.rows)
        if stop.is_set():
            raise Interrupted

    try:
        for target in wanted:
            _write(export, folder, target, form=form, written=written, step=step)
    except OSError as error:
        text = _("%(path)s cannot be written: %(why)s.")
        values = {"path": error.filename or folder, "why": error.strerror or error}
        raise Refused(text % values) from error
    written.seconds = time.monotonic() - began
    return written


def _write(
    export: Export,
    folder: Path,
    target: Target,
    *,
    form: Format,
    written: Written,
    step: Callable[[], None],
) -> None:
    path = folder / target.path
    path.parent.mkdir(parents=True, exist_ok=True)
    before = export.counted.rows
    part = path.with_name(f".{path.name}.part")
    try:
        facts = export.facts(target.stocks)
        with opened(part, form, period=export.request.made, facts=facts) as file:
            for text in export.part(target.stocks, window=target.window):
                file.write(text)
                step()
        rows = export.counted.rows - before
        if rows:
            part.replace(path)
        else:
            path.unlink(missing_ok=True)
    finally:
        part.unlink(missing_ok=True)
    step()
    if rows:
        written.rows += rows
        written.files.append(str(target.path))
        written.bytes += path.stat().st_size
