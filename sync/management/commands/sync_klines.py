"""manage.py sync_klines。"""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from sync import services
from sync.management import reporting
from sync.management.dates import date_option
from sync.management.running import RunCommand
from sync.models import SyncRun


class Command(RunCommand):
    """同步 K 线。"""

    help = "Fetch the K-lines that are missing, of one stock, of markets or of all."

    def add_arguments(self, parser: CommandParser) -> None:
        """参数。"""
        several: dict[str, Any] = {"action": "extend", "nargs": "+", "default": []}
        parser.add_argument(
            "--market", **several, help="such as HK, one or several; default: all"
        )
        parser.add_argument(
            "--stock", **several, help="a code, one or several; default: all stocks"
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
        parser.add_argument(
            "--shards",
            type=int,
            help="cut it into so many jobs, which any cluster may take; default: as "
            "many as the tokens call for, one if it is not left to the cluster",
        )
        super().add_arguments(parser)

    def register(self, options: dict[str, Any]) -> SyncRun | None:
        """登记同步,或者只预演。"""
        request, at = _request(options), services.now()
        if not options["dry_run"]:
            return services.start(request, at=at, background=options["background"])
        forecast = services.forecast(request, at=at)
        self.stdout.write(
            json.dumps(reporting.forecast_json(forecast))
            if options["json"]
            else reporting.forecast_words(forecast)
        )
        return None


def _request(options: dict[str, Any]) -> services.SyncRequest:
    end = options["end"]
    return services.SyncRequest(
        start=date_option("start", options["start"]),
        end=date_option("end", end) if end else None,
        markets=tuple(market.upper() for market in options["market"]),
        codes=tuple(options["stock"]),
        period=options["period"],
        force=options["force"],
        shards=_shards(options["shards"]),
    )


def _shards(wanted: int | None) -> int:
    if wanted is not None and wanted < 1:
        raise services.BadRequest("shards", _("--shards must be 1 or more."))
    return wanted or 0
