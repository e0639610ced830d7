"""没有取来 MySQL 时说的话;服务器自己由 `make test-mysql` 试。"""

from __future__ import annotations

from pathlib import Path

import pytest

from . import mysql
from .mariadb import main


def test_a_mysql_that_was_not_fetched_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(mysql, "ROOT", tmp_path / "root")

    assert main(["--", "true"], kind=mysql.MySQL) == 1
    assert capsys.readouterr().err == (
        "MySQL for the tests: MySQL is not there; 'make test-mysql' fetches it.\n"
    )
