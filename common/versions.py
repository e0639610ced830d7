"""程序和数据库是不是同一个版本。

A cluster that was not stopped for an upgrade, or a machine that was forgotten, would
fail oddly, or write what the newer version does not expect.
"""

from __future__ import annotations

import pkgutil
from functools import cache

from django.apps import apps
from django.db import DatabaseError, connection

APPLIED = "SELECT app, name FROM django_migrations"
OLDER = (
    "The database is of an older version than this program ({} is not applied): stop "
    "every cluster, then run 'manage.py migrate'."
)
NEWER = (
    "The database is of a newer version than this program ({} is not known here): "
    "stop this program and install that version."
)

Migration = tuple[str, str]  # of an app, its name


def mismatch() -> str:
    """说出程序和数据库的版本哪里不一致;一致则返回空的。

    Nothing either where the database does not answer, or has no tables yet: whoever
    uses it next says so better.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(APPLIED)
            applied = set(cursor.fetchall())
    except DatabaseError:
        return ""
    return difference(applied=applied, known=known()) if applied else ""


def difference(*, applied: set[Migration], known: frozenset[Migration]) -> str:
    """比较数据库里执行过的迁移和程序带来的迁移。

    Names are compared, and an applied one that is unknown counts only behind the last
    known one of its app: others may have been renamed or squashed since.
    """
    last = dict(sorted(known))
    if newer := sorted(
        (app, name) for app, name in applied - known if name > last.get(app, "~")
    ):
        return NEWER.format(".".join(newer[-1]))
    if missing := sorted(known - applied):
        return OLDER.format(".".join(missing[0]))
    return ""


@cache
def known() -> frozenset[Migration]:
    """程序带来的全部迁移;只看文件名,不导入。"""
    return frozenset(
        (app.label, module.name)
        for app in apps.get_app_configs()
        for module in pkgutil.iter_modules([f"{app.path}/migrations"])
        if module.name[0] not in "_~"
    )
