#!/usr/bin/env python
"""Django 的命令入口。"""

from __future__ import annotations

import errno
import os
import signal
import sys


def main() -> None:
    """运行一个管理命令,读者不再读它的输出时安静地结束。

    As `head` does: the exit code is then the one that a shell gives to a program that
    SIGPIPE ends, unless the command has one of its own to report. Where its output goes
    to a disk that is full, that is one sentence.
    """
    try:
        try:
            _run()
        finally:
            # Here and not when Python leaves, where nobody could catch it.
            sys.stdout.flush()
    except BrokenPipeError as error:
        _write_no_more()
        # What it was about to end with: SystemExit or Django's CommandError.
        leaving = error.__context__
        code = getattr(leaving, "code", None) or getattr(leaving, "returncode", None)
        sys.exit(code or 128 + signal.SIGPIPE)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _write_no_more()
        sys.exit(f"The output cannot be written: {error.strerror}.")


def _write_no_more() -> None:
    # Python flushes once more when it leaves.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run() -> None:
    """Run one command.

    A setting that cannot be used is one sentence on standard error and exit code 1;
    with --traceback it is shown in full.
    """
    # What a command makes is for its own user; an export is for others to read.
    if sys.argv[1:2] != ["export_klines"]:
        os.umask(0o077)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stocksync_site.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db.utils import DatabaseError

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"Configuration error: {' '.join(str(error).split())}")
    except DatabaseError as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"The database does not do its work: {error.args[-1]}.")


if __name__ == "__main__":
    main()
