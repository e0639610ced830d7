"""manage.py retry_failed。"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from sync import services
from sync.management.running import RunCommand
from sync.models import SyncRun


class Command(RunCommand):
    """补拉失败的记录。"""

    help = "Fetch again what earlier runs could not get."

    def add_arguments(self, parser: CommandParser) -> None:
        """参数。"""
        parser.add_argument("--market", default="", help="such as HK; default: all")
        parser.add_argument("--stock", default="", help="a code; default: all stocks")
        parser.add_argument(
            "--max-retry-count",
            type=int,
            help="leave out rows tried so often",
        )
        super().add_arguments(parser)

    def register(self, options: dict[str, Any]) -> SyncRun:
        """登记补拉。"""
        return services.retry_failed(
            at=services.now(),
            market=options["market"].upper(),
            stock_code=options["stock"],
            max_retry_count=options["max_retry_count"],
            background=options["background"],
        )
