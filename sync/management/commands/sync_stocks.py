"""manage.py sync_stocks。"""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from common.commands import SpokenCommand
from sync import services
from sync.management.reporting import EXIT_STOPPED, in_words


class Command(SpokenCommand):
    """从服务商取得股票列表。"""

    _told = ""
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
        parser.add_argument(
            "--confirm",
            action="store_true",
            help="store a list even where it is more than ten times as long as what is "
            "stored of its market",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, market: list[str], **options: Any) -> None:
        """执行命令。"""
        codes = list(dict.fromkeys(code.upper() for code in market))
        try:
            listed = services.sync_stocks(
                codes, confirmed=options["confirm"], wait=self._wait
            )
        except services.Unconfirmed as error:
            raise CommandError(f"{error} Add --confirm to store them all.") from error
        except services.Refused as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            counts = {code: found.figures() for code, found in listed.items()}
            self.stdout.write(json.dumps(counts))
        else:
            for code, found in listed.items():
                self.stdout.write(f"{code}: {in_words(found)}")
        if left := [code for code in codes if code not in listed]:
            self.stderr.write(f"Stopped. Not loaded: {', '.join(left)}.")
            sys.exit(EXIT_STOPPED)

    def _wait(self, why: str, seconds: int) -> bool:
        # Each reason once: of tokens that others hold a second is waited at a time.
        if why != self._told:
            self.stderr.write(f"waiting: {why}")
        self._told = why
        with services.stop_on_signals() as stop:
            return not stop.wait(seconds)
