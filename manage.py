#!/usr/bin/env python
"""Django 的命令入口。"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """运行一个管理命令。"""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stocksync_site.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
