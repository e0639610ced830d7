"""一组数字,在自己的进程里、自己的数据库上量。

    python -m benchmarks.worker GROUP [--quick]

The database is the one of DATABASE_URL; it must be there and empty. Prints one JSON
object and nothing else on standard output.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def main(group: str, *, quick: bool) -> None:
    """建表,量一组,打印。"""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stocksync_site.settings")
    import django  # noqa: PLC0415  # settings first, then models

    django.setup()
    print(json.dumps(_measured(group, quick=quick)))


def _measured(group: str, *, quick: bool) -> dict[str, Any]:
    from django.core.management import call_command  # noqa: PLC0415

    from . import (  # noqa: PLC0415
        clusters,
        exports,
        idle,
        lanes,
        limits,
        pages,
        pipeline,
        size,
        topup,
        writing,
    )

    groups = {
        "writing": writing.measure,
        "lanes": lanes.measure,
        "pipeline": pipeline.measure,
        "idle": idle.measure,
        "topup": topup.measure,
        "limits": limits.measure,
        "size": size.measure,
        "clusters": clusters.measure,
        "export": exports.measure,
        "pages": pages.measure,
    }
    call_command("migrate", verbosity=0)
    figures = groups[group](quick=quick)
    return {"version": _version(), "figures": [each.as_json() for each in figures]}


def _version() -> str:
    from django.db import connection  # noqa: PLC0415

    if connection.vendor == "sqlite":
        return ""
    with connection.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        return str(cursor.fetchone()[0])


if __name__ == "__main__":
    main(sys.argv[1], quick="--quick" in sys.argv[2:])
