"""manage.py import_stocks。"""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from common import csvfile
from common.commands import SpokenCommand
from sync import services
from sync.management.reporting import in_words


class Command(SpokenCommand):
    """从 CSV 文件导入股票。"""

    help = (
        "Import stocks from a CSV file. Columns, in any order: "
        "market, stock_code, stock_name[, exchange]."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """参数。"""
        parser.add_argument("file", help="a CSV file, or - for standard input")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, file: str, **options: Any) -> None:
        """执行命令。"""
        try:
            listed = services.import_stocks(csvfile.contents(file))
        except (services.Refused, csvfile.Refused) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(listed.figures()))
            return
        self.stdout.write(in_words(listed))
        self.stdout.writelines(note + "\n" for note in listed.notes)
