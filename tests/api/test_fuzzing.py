"""文档允许的和不允许的都发一遍:schemathesis 的每一项检查都要通过。"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pytest_django.live_server_helper import LiveServer

from tests import people
from tests.fixtures import MakeToken

from . import rows

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [
    str(Path(sys.executable).with_name("schemathesis")),
    *("--config-file", str(ROOT / "schemathesis.toml"), "run"),
]
# The same calls every time; more of them, and others, as docs/api.md says.
FIXED = [
    *("--checks", "all", "--max-examples", "5", "--seed", "1"),
    *("--generation-deterministic", "--no-color"),
]


@pytest.fixture
def world(transactional_db: None, make_token: MakeToken) -> str:
    """一点数据,和什么都能做的密钥。"""
    make_token()
    stock = rows.stock()
    rows.kline(stock, rows.AT)
    rows.covered(stock)
    rows.failure()
    rows.shard(rows.run())
    return people.drawn(people.person(people.SUPERUSER)).plain


@pytest.mark.timeout(300)  # 1,200 calls: some 20 seconds, more where others work, too
@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.runs_on("mariadb")
def test_the_api_does_what_its_document_says_and_nothing_else(
    world: str, live_server: LiveServer, settings: Any, tmp_path: Path
) -> None:
    settings.API_CALLS_PER_MINUTE = 0
    settings.API_ANONYMOUS_CALLS_PER_MINUTE = 0

    fuzzed = subprocess.run(
        [
            *(*COMMAND, f"{live_server.url}/api/schema", *FIXED),
            *("--header", f"Authorization: Bearer {world}"),
        ],
        cwd=tmp_path,  # it leaves folders behind
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    # The server hangs up on a session that is left alone for a minute.
    connection.close()

    assert fuzzed.returncode == 0, fuzzed.stdout + fuzzed.stderr
    assert "Selected: 13/13" in fuzzed.stdout
