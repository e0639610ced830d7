"""manage.py sync_klines。"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.utils import DatabaseError
from django.utils import timezone

from sync import services
from sync.management import reporting
from sync.management.stopping import stop_on_signals
from sync.models import SyncRun


class Command(BaseCommand):
    """同步 K 线。"""

    help = "Fetch the K-lines that are missing, of one stock, of markets or of all."

    def add_arguments(self, parser: CommandParser) -> None:
        """参数。"""
        parser.add_argument(
            "--market",
            action="extend",
            nargs="+",
            default=[],
            help="such as HK, one or several; default: all",
        )
        parser.add_argument(
            "--stock",
            action="extend",
            nargs="+",
            default=[],
            help="a code, one or several; default: all stocks",
        )
        parser.add_argument(
            "--period",
            default="day",
            help="1m 5m 15m 30m 60m day week month; default: day",
        )
        parser.add_argument("--start", required=True, help="first trade date")
        parser.add_argument("--end", help="last trade date; default: today")
        parser.add_argument("--force", action="store_true", help="fetch anew")
        parser.add_argument("--dry-run", action="store_true", help="only tell the cost")
        parser.add_argument("--no-progress", action="store_true")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        """执行命令。"""
        try:
            request = _request(options)
            if options["dry_run"]:
                self._forecast(request, json_wanted=options["json"])
                return
            run = self._run(request, quiet=options["no_progress"] or options["json"])
        except services.Refused as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(f"The database does not answer: {error}") from error
        reporting.report(self.stdout, run, json_wanted=options["json"])
        if code := reporting.exit_code(run):
            sys.exit(code)

    def _run(self, request: services.SyncRequest, *, quiet: bool) -> SyncRun:
        run = services.start(request, at=timezone.now())
        total = services.stocks_of(run).count()
        with (
            stop_on_signals() as stop,
            reporting.watcher(sys.stderr, total=total, quiet=quiet) as watch,
        ):
            return services.execute(run, stop=stop, watch=watch)

    def _forecast(self, request: services.SyncRequest, *, json_wanted: bool) -> None:
        forecast = services.forecast(request, at=timezone.now())
        if json_wanted:
            self.stdout.write(json.dumps(reporting.forecast_json(forecast)))
        else:
            self.stdout.write(reporting.forecast_words(forecast))


def _request(options: dict[str, Any]) -> services.SyncRequest:
    request = services.SyncRequest(
        start=_date("--start", options["start"]),
        markets=tuple(market.upper() for market in options["market"]),
        codes=tuple(options["stock"]),
        period=options["period"],
        force=options["force"],
    )
    end = options["end"]
    return replace(request, end=_date("--end", end)) if end else request


def _date(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise services.Refused(
            f"{name} {text!r} is not a date: write it as YYYY-MM-DD."
        ) from None
