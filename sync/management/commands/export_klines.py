"""manage.py export_klines。"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import connection

from common.commands import SpokenCommand
from sync import services
from sync.management.dates import date_option
from sync.management.exporting import shown
from sync.management.reporting import EXIT_STOPPED

MOST_NAMED = 10


class Command(SpokenCommand):
    """把存着的 K 线写成文件。"""

    help = "Write stored K-lines to files, or to standard output."

    def add_arguments(self, parser: CommandParser) -> None:
        """参数。"""
        several: dict[str, Any] = {"action": "extend", "nargs": "+", "default": []}
        parser.add_argument("--to", required=True, help="a folder; - is the output")
        parser.add_argument(
            "--market", **several, help="such as HK, one or several; default: all"
        )
        parser.add_argument(
            "--stock", **several, help="a code, one or several; default: all stocks"
        )
        parser.add_argument("--period", default="day", help="default: day")
        parser.add_argument("--start", help="first trade date; default: the first bar")
        parser.add_argument("--end", help="last trade date; default: the last bar")
        parser.add_argument(
            "--by", default="market", help="a file for each: market, year, stock"
        )
        parser.add_argument("--format", default="csv", help="csv (default) or parquet")
        parser.add_argument(
            "--adjust", default="none", help="none, or split: 前复权; default: none"
        )
        parser.add_argument(
            "--resample",
            default="",
            help="make week or month of stored days, 5m 15m 30m 60m of stored 1m",
        )
        parser.add_argument(
            "--changed-since",
            help="a moment, such as 2026-03-09T18:00:00Z: only what changed since",
        )
        parser.add_argument("--no-progress", action="store_true")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        """执行命令。"""
        try:
            with services.stop_on_signals() as stop:
                self._export(options, stop)
        except services.Refused as error:
            raise CommandError(str(error)) from error
        except services.ExportInterrupted:
            self.stderr.write("Stopped. What was written whole is kept.")
            sys.exit(EXIT_STOPPED)

    def _export(self, options: dict[str, Any], stop: Event) -> None:
        if not options["to"]:  # an unset variable: it would be the folder one is in
            raise services.BadRequest("to", "--to names no folder.")
        by = services.export_layout(options["by"])
        form = services.export_format(options["format"])
        export = services.export(_request(options))
        self._name_unknown(export)
        if options["to"] == "-":
            self._print(export, form, stop)
            return
        quiet = options["no_progress"] or options["json"]
        with shown(sys.stderr, quiet=quiet) as watch:
            written = services.write_files(
                export, Path(options["to"]), by=by, form=form, watch=watch, stop=stop
            )
        told = asdict(written) | {"seconds": round(written.seconds, 1)}
        self.stdout.write(json.dumps(told) if options["json"] else _in_words(written))

    def _name_unknown(self, export: services.Export) -> None:
        unknown = export.unknown
        if unknown:
            some = ", ".join(map(str, unknown[:MOST_NAMED]))
            self.stderr.write(
                f"Not adjusted for {len(unknown):,} splits of which the bars do not "
                f"tell whether the provider has: {some}"
            )

    def _print(
        self, export: services.Export, form: services.Format, stop: Event
    ) -> None:
        if form is not services.Format.CSV:
            raise services.BadRequest("format", "Standard output takes CSV only.")
        for text in export.text():
            if stop.is_set():
                raise services.ExportInterrupted
            # Whoever reads may take their time, and the server hangs up after a minute.
            if not connection.in_atomic_block:
                connection.close()
            self.stdout.write(text, ending="")


def _request(options: dict[str, Any]) -> services.ExportRequest:
    start, end = options["start"], options["end"]
    return services.ExportRequest(
        markets=tuple(market.upper() for market in options["market"]),
        codes=tuple(options["stock"]),
        period=options["period"],
        start=date_option("start", start) if start else None,
        end=date_option("end", end) if end else None,
        adjust=options["adjust"],
        changed_since=_moment(options["changed_since"]),
        resample=options["resample"],
    )


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = "--changed-since %r is no moment: write it as 2026-03-09T18:00:00Z."
        raise services.BadRequest("changed_since", message % text) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _in_words(written: services.Written) -> str:
    if not written.rows:
        return "Nothing was written: there is no such K-line, or none has changed."
    return (
        f"{written.rows:,} K-lines in {len(written.files):,} files, "
        f"{written.bytes:,} bytes, {written.seconds:.1f} seconds"
    )
