"""数据库文件只给运行 stocksync 的用户读:里面有会话。"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as Caution

OTHERS = 0o077
# What SQLite writes beside a file.
BESIDE = ("", "-wal", "-shm", "-journal")


def shut() -> None:
    """收回别人的权限:数据库的文件,和我们自己的文件夹 `var`。"""
    for path in _ours():
        with suppress(OSError):  # of another user, or gone by now: the check tells
            if mode := path.stat().st_mode & OTHERS:
                path.chmod(path.stat().st_mode & 0o777 & ~mode)


def check(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """系统检查:哪些文件别人也读得到。"""
    return [
        Caution(
            f"Other users of this machine can read {path}.",
            hint=f"chmod go= {path}",
            id="stocksync.W010",
        )
        for path in (*_ours(), settings.ROOT / ".env")
        if _open_to_others(path)
    ]


def _open_to_others(path: Path) -> bool:
    with suppress(OSError):
        return bool(path.stat().st_mode & OTHERS)
    return False


def _ours() -> Iterator[Path]:
    for database in settings.DATABASES.values():
        if database["ENGINE"] == "django.db.backends.sqlite3":
            name = str(database["NAME"])
            yield from (Path(name + end) for end in BESIDE)
            # Another folder may be other programs', too.
            if Path(name).parent == settings.ROOT / "var":
                yield Path(name).parent
