"""同一台机器上的别的用户,读不到数据库。"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stocksync_site import private


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def made(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An embedded database as an earlier version made it."""
    folder = tmp_path / "var"
    folder.mkdir(mode=0o755)
    for end in ("", "-wal", "-shm"):
        (folder / f"stocksync.sqlite3{end}").touch(0o644)
    settings.ROOT = tmp_path
    file = folder / "stocksync.sqlite3"
    engine = "django.db.backends.sqlite3"
    database = {"ENGINE": engine, "NAME": str(file)}
    monkeypatch.setitem(settings.DATABASES, "default", database)
    return file


def test_files_that_are_there_are_shut(made: Path) -> None:
    private.shut()

    assert mode(made.parent) == 0o700
    assert {mode(file) for file in made.parent.iterdir()} == {0o600}


def test_a_folder_that_is_not_ours_is_left_alone(made: Path, settings: Any) -> None:
    settings.ROOT = made.parent / "elsewhere"

    private.shut()

    assert mode(made.parent) == 0o755
    assert mode(made) == 0o600


def test_the_check_names_what_others_can_read(made: Path) -> None:
    (made.parent.parent / ".env").touch(0o644)

    found = [warning.msg.split()[-1] for warning in private.check(None)]
    private.shut()

    assert len(found) == 5
    assert [each.msg for each in private.check(None)] == [
        f"Other users of this machine can read {made.parent.parent / '.env'}."
    ]


def test_a_command_makes_files_for_its_own_user(tmp_path: Path, settings: Any) -> None:
    file = tmp_path / "new" / "stocksync.sqlite3"

    subprocess.run(
        [sys.executable, "manage.py", "migrate", "contenttypes", "-v0"],
        cwd=settings.ROOT,
        env=os.environ | {"DATABASE_URL": f"sqlite:///{file}"},
        check=True,
    )

    assert mode(file.parent) == 0o700
    assert mode(file) == 0o600
