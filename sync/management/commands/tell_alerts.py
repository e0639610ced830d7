"""manage.py tell_alerts。"""

from __future__ import annotations

from typing import Any

from common.commands import SpokenCommand
from sync import services


class Command(SpokenCommand):
    """看一遍告警的规则,把该说的说出去。

    What the schedule does each minute; from a timer of the system it tells that no
    worker does.
    """

    help = "Look at the rules of alerts and tell what is new and what is over."

    def handle(self, **_options: Any) -> None:
        """执行命令。"""
        with services.scheduled(services.WATCH_JOB):
            seen = services.watch(at=services.now())
        done = services.tell(at=services.now())
        self.stdout.write(
            f"alerts: {seen.opened} new, {seen.over} over; "
            f"{done.told} told, {done.failed} not taken"
        )
