"""manage.py verify_klines。"""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from common.commands import SpokenCommand
from sync import services
from sync.management.reporting import EXIT_STOPPED


class Command(SpokenCommand):
    """随机抽查存下的 K 线。"""

    help = "Fetch a random sample of what is stored again and compare it."

    def add_arguments(self, parser: CommandParser) -> None:
        """参数。"""
        parser.add_argument(
            "--market",
            action="extend",
            nargs="+",
            default=[],
            help="a market's code, such as HK; one or several, all if none",
        )
        parser.add_argument(
            "--calls",
            type=int,
            default=services.VERIFY_CALLS,
            help="how many calls to make, %(default)s if not given",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, market: list[str], calls: int, **options: Any) -> None:
        """执行命令。"""
        told: set[str] = set()
        with services.stop_on_signals() as stop:

            def wait(why: str, seconds: int) -> bool:
                if str(why) not in told:
                    told.add(str(why))
                    self.stderr.write(f"waiting: {why}")
                return not stop.wait(seconds)

            codes = list(dict.fromkeys(code.upper() for code in market))
            try:
                found = services.verify(codes, calls=calls, wait=wait, stop=stop)
            except services.Refused as error:
                raise CommandError(str(error)) from error
            stopped = stop.is_set()
        text = json.dumps(found._asdict()) if options["json"] else _in_words(found)
        self.stdout.write(text)
        if stopped:
            self.stderr.write("Stopped. What was compared is kept.")
            sys.exit(EXIT_STOPPED)


def _in_words(found: services.Compared) -> str:
    text = (
        f"{found.calls:,} calls, {found.bars:,} bars compared: {found.same:,} the "
        f"same, {found.differ:,} different, {found.gone:,} gone"
    )
    if rate := services.estimate(found.differ + found.gone, found.bars):
        text += f"; {rate.rate:.2%} differ ({rate.low:.2%} to {rate.high:.2%})"
    return text
