"""manage.py import_tokens。"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from common.commands import SpokenCommand
from common.csvfile import Refused, contents
from tokens.importing.imports import Imported, import_tokens
from tokens.importing.lines import KNOWN


class Command(SpokenCommand):
    """从 CSV 文件导入 Token。"""

    help = f"Import tokens from a CSV file. Columns, in any order: {KNOWN}."

    def add_arguments(self, parser: CommandParser) -> None:
        """参数。"""
        parser.add_argument("file", help="a CSV file, or - for standard input")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, file: str, **options: Any) -> None:
        """执行命令。"""
        try:
            imported = import_tokens(contents(file))
        except Refused as error:
            raise CommandError(f"Nothing was imported.\n{error}") from error
        counts = asdict(imported)
        self.stdout.write(json.dumps(counts) if options["json"] else _line(imported))


def _line(imported: Imported) -> str:
    counts = asdict(imported)
    if not imported.restored:
        del counts["restored"]
    return ", ".join(f"{word} {count}" for word, count in counts.items())
