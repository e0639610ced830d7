"""Token 的值不出现在任何输出、日志、表的任何一列。"""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.simulator import Account

from . import world
from .conftest import Simulate
from .processes import manage
from .world import SPRING, Staged

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
]
KEYS = [f"canary-{mark}-5f3a9c7be1d0-{mark}" for mark in ("gone", "limd", "good")]
DAYS = ["--start", str(SPRING[0]), "--end", str(SPRING[1])]


def everything_is_tried(sim: Staged, folder: Path) -> str:
    """把每条命令都用一遍,成功的和失败的;返回它们说的全部。"""
    tokens, bad = folder / "tokens.csv", folder / "bad.csv"
    lines = [f"itick,{key},Token {key[-4:]},0,{sim.base_url}" for key in KEYS]
    columns = "provider,token,name,minute_limit,base_url"
    tokens.write_text("\n".join([columns, *lines]))
    bad.write_text("\n".join(["provider,name,token", *lines]))
    sync = ["sync_klines", "--market", "HK", *DAYS]
    done = [
        manage(*command, LOG_LEVEL="DEBUG")
        for command in (
            ["import_tokens", str(tokens)],
            ["import_tokens", str(bad)],
            ["sync_stocks", "--market", "HK"],
            [*sync, "--json"],
            sync,
            ["retry_failed", "--json"],
            [*sync, "--stock", "nothing"],
        )
    ]
    assert [one.returncode for one in done] == [0, 1, 0, 3, 3, 3, 1]
    return "\n".join(text for one in done for text in (one.stdout, one.stderr))


def test_a_tokens_value_is_in_no_output_no_log_and_no_column(
    simulate: Simulate, tmp_path: Path
) -> None:
    revoked, limited, good = KEYS
    accounts = [Account(revoked), Account(limited, minute_limit=5), Account(good)]
    sim = simulate(accounts=accounts, stocks=20)
    sim.at_call(5, lambda: sim.revoke(revoked))
    world.hold_unknown("HK", "9999")

    said = everything_is_tried(sim, tmp_path)
    dump = world.database_dump()

    shown = said + dump
    assert "Token gone ****gone" in said
    assert "The provider refused the token" in dump
    assert [key for key in KEYS if key in shown] == []
    assert "canary" not in shown
    assert "5f3a9c7be1d0" not in shown
