"""我们的命令共有的部分:出错时只说一句话,退出码是 1。"""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.utils import DatabaseError

from . import versions
from .activity import Actor, Way, acting, system_user

USAGE_ERROR = 2  # argparse's exit code
NO_TABLE, NO_COLUMN = 1146, 1054  # MySQL's
# MySQL's: a text that the column's character set lacks, or cannot be compared with.
WRONG_CHARSET = {1267, 1366, 3988}


class SpokenCommand(BaseCommand):
    """我们的命令都从这个类开始。

    A database that is away is one sentence, and wrong arguments exit with 1 like every
    other bad input.
    """

    def run_from_argv(self, argv: list[str]) -> None:
        """从命令行执行,参数不对时退出码是 1 而不是 argparse 的 2。"""
        try:
            super().run_from_argv(argv)
        except SystemExit as error:
            if error.code == USAGE_ERROR:
                sys.exit(1)
            raise

    def execute(self, *args: Any, **options: Any) -> str | None:
        """执行命令,把数据库的错误变成一句话;做事的是启动它的系统用户。

        Refuses where program and database are not of one version.
        """
        command = type(self).__module__.rpartition(".")[2]
        if words := versions.mismatch():
            raise CommandError(words)
        try:
            with acting(Actor(system_user(), Way.COMMAND, command)):
                return super().execute(*args, **options)
        except DatabaseError as error:
            raise CommandError(sentence(error)) from error


def sentence(error: DatabaseError) -> str:
    """把数据库的错误说成一句话,带上办法。"""
    text = str(error.args[-1] if error.args else error)
    if "no such table" in text or error.args[:1] == (NO_TABLE,):
        return "The database has no tables yet: run 'manage.py migrate' first."
    if "no such column" in text or error.args[:1] == (NO_COLUMN,):
        return "The database is of another version: run 'manage.py migrate' first."
    if error.args[:1] and error.args[0] in WRONG_CHARSET:
        return (
            f"The database cannot hold this text: {text}. Its tables may not be "
            "utf8mb4: 'manage.py migrate' converts them."
        )
    return (
        f"The database does not do its work: {text}. "
        "Check DATABASE_URL and whether the server runs."
    )
