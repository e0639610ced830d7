"""manage.py setup_schedules。"""

from __future__ import annotations

from typing import Any

from common.commands import SpokenCommand
from sync import services


class Command(SpokenCommand):
    """建好时间表。"""

    help = "Create the schedules that are missing; those there are stay as they are."

    def handle(self, **_options: Any) -> None:
        """执行命令。"""
        done = services.setup_schedules(at=services.now())
        for name in done.created:
            self.stdout.write(f"created: {name}")
        for name in done.kept:
            self.stdout.write(f"left as it is: {name}")
