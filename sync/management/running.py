"""要执行一次运行的命令共有的部分。"""

from __future__ import annotations

import sys
from threading import Event
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError

from common.commands import SpokenCommand
from sync import services
from sync.management import reporting
from sync.models import SyncRun


class RunCommand(SpokenCommand):
    """登记一次运行,在这个进程里执行或交给任务队列,报告结果。

    Exit codes: 0 done, 1 could not run, 3 some stocks failed, 4 stopped.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        """共有的参数。"""
        parser.add_argument(
            "--background", action="store_true", help="leave it to the job cluster"
        )
        parser.add_argument("--no-progress", action="store_true")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def register(self, options: dict[str, Any]) -> SyncRun | None:
        """登记运行;没有什么要执行时返回 None。"""
        raise NotImplementedError

    def handle(self, **options: Any) -> None:
        """执行命令。"""
        quiet = options["no_progress"] or options["json"]
        try:
            # From the very beginning, so that a signal never leaves half a run behind.
            with services.stop_on_signals() as stop:
                run = self.register(options)
                if run is not None and not options["background"]:
                    run = _execute(run, stop=stop, quiet=quiet)
        except (services.Refused, services.Unavailable) as error:
            raise CommandError(str(error)) from error
        if run is None:
            return
        unreached, nothing = _looked_back(run)
        reporting.report(
            self.stdout,
            run,
            json_wanted=options["json"],
            unreached=unreached,
            nothing=nothing,
        )
        if code := reporting.exit_code(run):
            sys.exit(code)


def _looked_back(run: SyncRun) -> tuple[int, bool]:
    # What the run came to is told also where the database has gone away since.
    try:
        return services.count_unreached(run), services.brought_nothing(run)
    except DatabaseError:
        return 0, False


def _execute(run: SyncRun, *, stop: Event, quiet: bool) -> SyncRun:
    total = services.count_of(run)
    with reporting.watcher(sys.stderr, total=total, quiet=quiet) as watch:
        return services.follow(run, stop=stop, watch=watch)
