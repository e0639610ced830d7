"""每一个发布过的版本的数据库都升级到最新,什么也不丢。"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.rows import MARIADB

NAME = "stocksync_upgrade"


@pytest.fixture
def database(tmp_path: Path, db: None) -> Iterator[str]:
    """DATABASE_URL of an empty database of its own."""
    if not MARIADB:
        yield f"sqlite:///{tmp_path / 'upgrade.sqlite3'}"
        return
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {NAME}")
    yield f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{NAME}"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {NAME}")


@pytest.mark.timeout(300)
def test_rows_of_every_earlier_state_arrive(database: str, root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.upgrade", "--klines", "2500"],
        cwd=root,
        env=os.environ | {"DATABASE_URL": database},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["klines"] == 2500
