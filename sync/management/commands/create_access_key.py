"""manage.py create_access_key。"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from common.commands import SpokenCommand
from sync import services


class Command(SpokenCommand):
    """建一个访问密钥。"""

    help = "Make an access key for a user and print it, once: it is stored nowhere."

    def add_arguments(self, parser: CommandParser) -> None:
        """参数。"""
        parser.add_argument("user", help="whose permissions the key has")
        parser.add_argument(
            "--name", default="command line", help="what the key is for"
        )
        parser.add_argument(
            "--days",
            type=int,
            default=365,
            help="how long it is good, two years at most; %(default)s if not given",
        )

    def handle(self, *, user: str, name: str, days: int, **_options: Any) -> None:
        """执行命令。"""
        at = timezone.now()
        try:
            key = services.create_access_key(user, name=name, days=days, at=at)
        except services.Refused as error:
            raise CommandError(str(error)) from error
        self.stderr.write(f"Valid until {key.expires_at:%Y-%m-%d}, shown this once:")
        self.stdout.write(key.plain)
