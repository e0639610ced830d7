#!/usr/bin/env python
"""Django 的命令入口。"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """运行一个管理命令。

    A setting that cannot be used is one sentence on standard error and exit code 1;
    with --traceback it is shown in full.
    """
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
