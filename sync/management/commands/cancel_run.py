"""manage.py cancel_run。"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from common.commands import SpokenCommand
from sync import services


class Command(SpokenCommand):
    """取消一次运行。"""

    help = "Cancel a run: it stops within seconds and keeps what is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        """参数。"""
        parser.add_argument("run", type=int, help="the run's number")

    def handle(self, *, run: int, **_options: Any) -> None:
        """执行命令。"""
        try:
            asked = services.cancel(
                run, at=services.now(), by=services.activity.system_user()
            )
        except services.Refused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Run {run}: asked to stop, now {asked.get_state_display()}.")
