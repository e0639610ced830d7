"""manage.py sync_stocks。"""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from common.commands import SpokenCommand
from sync import services
from sync.management.reporting import in_words


class Command(SpokenCommand):
    """从服务商取得股票列表。"""

    help = "Load the lists of stocks from the provider."

    def add_arguments(self, parser: CommandParser) -> None:
        """参数。"""
        parser.add_argument(
            "--market",
            action="extend",
            nargs="+",
            required=True,
            help="a market's code, such as HK; one or several",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, market: list[str], **options: Any) -> None:
        """执行命令。"""
        try:
            listed = services.sync_stocks([code.upper() for code in market])
        except services.Refused as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            counts = {code: found.figures() for code, found in listed.items()}
            self.stdout.write(json.dumps(counts))
            return
        for code, found in listed.items():
            self.stdout.write(f"{code}: {in_words(found)}")
