"""命令对外的约定:退出码、一个 JSON 对象、一句话的错误。"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from sync.models import SyncRun
from sync.simulator import demo_accounts
from tokens.models import ApiToken

from . import world
from .conftest import Simulate
from .processes import manage
from .world import SPRING, Staged

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.django_db(transaction=True),
    pytest.mark.runs_on("sqlite", "mariadb"),
]
DAYS = ["--start", str(SPRING[0]), "--end", str(SPRING[1])]
NAMES = [
    *("run", "state", "stocks", "succeeded", "failed", "skipped", "klines", "calls"),
    *("threads", "tokens_per_thread", "seconds"),
]
# Nobody listens there.
AWAY = "mysql://nobody:secret-password@127.0.0.1:9/nothing"


@pytest.fixture
def sim(simulate: Simulate) -> Staged:
    """六只股票,十二个 Token。"""
    accounts = demo_accounts(12)
    sim = simulate(accounts=accounts, stocks=6)
    world.hold_tokens(sim, accounts)
    world.hold_stocks(sim, "HK")
    return sim


def test_a_run_without_failures_prints_one_object_and_exits_with_0(
    sim: Staged,
) -> None:
    done = manage("sync_klines", "--market", "hk", *DAYS, "--json")

    told = json.loads(done.stdout)
    assert (done.returncode, list(told)) == (0, NAMES)
    assert told | {"run": 0, "seconds": 0} == {
        "run": 0,
        "state": "succeeded",
        "stocks": 6,
        "succeeded": 6,
        "failed": 0,
        "skipped": 0,
        "klines": sum(map(len, world.stored("HK").values())),
        "calls": 6,
        "threads": 2,
        "tokens_per_thread": [6, 6],
        "seconds": 0,
    }
    assert world.calls(sim) == 6


def test_failures_are_exit_code_3_and_one_object_too(sim: Staged) -> None:
    world.hold_unknown("HK", "9991")

    done = manage("sync_klines", "--market", "HK", *DAYS, "--json")

    told = json.loads(done.stdout)
    assert (done.returncode, told["state"], told["failed"]) == (3, "partial", 1)
    assert world.failures() == {"9991": "unknown_symbol"}


def test_a_dry_run_makes_no_call_and_tells_the_cost(sim: Staged) -> None:
    done = manage("sync_klines", "--market", "HK", *DAYS, "--dry-run", "--json")

    told = json.loads(done.stdout)
    assert (done.returncode, told["dry_run"], told["calls_needed"]) == (0, True, 6)
    assert (told["stocks"], told["calls_left_today"]) == (6, None)
    assert (sim.asked, SyncRun.objects.count()) == (0, 0)


@pytest.mark.usefixtures("sim")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--market", "XX", *DAYS], "Unknown market 'XX'"),
        (["--period", "2m", *DAYS], "Unknown period '2m'"),
        (["--start", "yesterday"], "--start 'yesterday' is not a date"),
        (["--start", "2026-03-02", "--end", "2026-03-01"], "is after the end"),
        (["--start", "2026-03-02", "--end", "2999-01-01"], "is in the future"),
        (["--stock", "nothing", *DAYS], "Unknown stock: nothing"),
    ],
)
def test_a_bad_value_is_one_sentence_and_exit_code_1(
    arguments: list[str], said: str
) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("sync_klines", *arguments, "--json")

    assert refused.value.returncode == 1
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.usefixtures("sim")
def test_a_refusal_is_one_line_on_standard_error_and_nothing_else() -> None:
    done = manage("sync_klines", "--market", "XX", *DAYS, "--json")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("CommandError: Unknown market 'XX': known are HK")
    assert done.stderr.count("\n") == 1


@pytest.mark.usefixtures("sim")
def test_without_an_enabled_token_the_run_is_refused_with_the_reason() -> None:
    ApiToken.objects.update(status=ApiToken.Status.DISABLED)

    done = manage("sync_klines", "--market", "HK", *DAYS, "--json")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "CommandError: 没有可用的 Token: No token of itick is enabled.\n"
    )


def test_no_stocks_at_all_is_nothing_done(simulate: Simulate) -> None:
    accounts = demo_accounts(1)
    world.hold_tokens(simulate(accounts=accounts), accounts)

    done = manage("sync_klines", "--market", "HK", *DAYS)

    assert done.returncode == 0
    assert "There are no stocks to sync: load a list with sync_stocks." in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        ["sync_klines", "--market", "HK", *DAYS],
        ["sync_stocks", "--market", "HK"],
        ["import_tokens", "{tokens}"],
        ["migrate"],
        ["qcluster"],
    ],
    ids=lambda command: command[0],
)
def test_a_database_that_is_away_is_one_sentence_and_exit_code_1(
    command: list[str], tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.csv"
    tokens.write_text("provider,token\nitick,a-value-of-a-token")
    filled = [word.format(tokens=tokens) for word in command]

    done = manage(*filled, DATABASE_URL=AWAY)

    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert "Can't connect to server on '127.0.0.1'" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "secret-password" not in done.stderr


def test_tokens_list_and_sync_follow_one_another(
    simulate: Simulate, tmp_path: Path
) -> None:
    accounts = demo_accounts(12)
    sim = simulate(accounts=accounts, stocks=30)
    file = tmp_path / "tokens.csv"
    lines = [f"itick,{one.key},0,{sim.base_url}" for one in accounts]
    file.write_text("\n".join(["provider,token,minute_limit,base_url", *lines]))
    wanted = world.request(*SPRING)

    imported = manage("import_tokens", str(file))
    listed = manage("sync_stocks", "--market", "HK", "--json")
    sim.at_call(12, lambda: [sim.revoke(one.key) for one in accounts[2:]])
    first = manage("sync_klines", "--market", "HK", *DAYS, "--json")
    second = manage("sync_klines", "--market", "HK", *DAYS, "--json")

    assert (imported.returncode, first.returncode, second.returncode) == (0, 0, 0)
    assert json.loads(listed.stdout) == {
        "HK": {"created": 30, "updated": 0, "unchanged": 0}
    }
    assert json.loads(second.stdout)["calls"] == 0
    assert ApiToken.objects.filter(status=ApiToken.Status.ENABLED).count() == 2
    assert world.differences(sim, wanted) == []
