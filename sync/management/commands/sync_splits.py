"""manage.py sync_splits。"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from common.commands import SpokenCommand
from sync import services
from sync.management.reporting import EXIT_STOPPED


class Command(SpokenCommand):
    """从服务商取得拆股。"""

    _told = ""
    help = "Load the splits of stocks from the provider."

    def add_arguments(self, parser: CommandParser) -> None:
        """参数。"""
        parser.add_argument(
            "--market",
            action="extend",
            nargs="+",
            default=[],
            help="a market's code, such as HK; one or several, all with stocks if none",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, market: list[str], **options: Any) -> None:
        """执行命令。"""
        codes = list(dict.fromkeys(code.upper() for code in market))
        try:
            found = services.sync_splits(codes, wait=self._wait)
        except services.Refused as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps({c: asdict(one) for c, one in found.items()}))
        else:
            for code, one in found.items():
                self.stdout.write(f"{code}: {_in_words(one)}")
        if left := [code for code in codes if code not in found]:
            self.stderr.write(f"Stopped. Not loaded: {', '.join(left)}.")
            sys.exit(EXIT_STOPPED)

    def _wait(self, why: str, seconds: int) -> bool:
        # Each reason once: of tokens that others hold a second is waited at a time.
        if why != self._told:
            self.stderr.write(f"waiting: {why}")
        self._told = why
        with services.stop_on_signals() as stop:
            return not stop.wait(seconds)


def _in_words(found: services.SplitsFound) -> str:
    return (
        f"{found.splits:,} splits: {found.created:,} new, {found.updated:,} changed, "
        f"{found.left_out:,} left out; {found.compared:,} stocks are to be compared"
    )
