"""故障演习的短版,和对演习自己的检验。"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .report import Outcome
from .short import KILLS, SHORT

# The first test that asks for the campaign waits for all of it.
pytestmark = pytest.mark.timeout(480)


def campaign(file: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """跑一次演习;给出退出码,和按名字的结果。"""
    command = [sys.executable, "-m", "tests.faults", *arguments, "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert file.exists(), done.stderr
    return done.returncode, {
        each["name"]: each for each in json.loads(file.read_text())["outcomes"]
    }


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """短版的结果。"""
    file = tmp_path_factory.mktemp("faults") / "short.json"
    return campaign(file, "--kills", str(KILLS), *SHORT)[1]


@pytest.mark.parametrize("name", [name for name in SHORT if "planted" not in name])
def test_nothing_is_lost_done_twice_or_over_a_limit(
    outcomes: dict[str, Any], name: str
) -> None:
    outcome = outcomes[name]

    assert (outcome["wrong"], outcome["missed"]) == ([], [])
    assert outcome["times"] > 0
    assert outcome["klines"] > 0


@pytest.mark.parametrize("name", [name for name in SHORT if "planted" in name])
def test_a_guard_that_is_missing_is_found(outcomes: dict[str, Any], name: str) -> None:
    outcome = outcomes[name]

    assert outcome["missed"] == []
    assert outcome["wrong"]


def test_a_planted_fault_makes_the_campaign_fail(tmp_path: Path) -> None:
    plants = ("--plant", "status-first", "--plant", "no-fence")

    code, found = campaign(
        tmp_path / "planted.json", *plants, "at-rows", "zombie-klines", "--kills", "1"
    )

    assert code == 1
    assert [each["good"] for each in found.values()] == [False, False]
    assert "None is not" in found["at-rows"]["wrong"][0]


@pytest.mark.parametrize(
    ("planted", "wrong", "missed", "good"),
    [
        ("", [], [], True),
        ("", ["a kline is lost"], [], False),
        ("", [], ["the point was not passed"], False),
        ("no-fence", ["a kline is lost"], [], True),
        ("no-fence", [], [], False),
        ("no-fence", ["a kline is lost"], ["the point was not passed"], False),
    ],
)
def test_a_scenario_is_good_if_its_fault_struck_and_only_what_was_planted_is_wrong(
    planted: str, wrong: list[str], missed: list[str], good: bool
) -> None:
    outcome = Outcome(
        name="name",
        text="text",
        seed="1",
        times=1,
        klines=1,
        calls=1,
        repeated=0,
        given_up=0,
        seconds=1.0,
        wrong=wrong,
        missed=missed,
        planted=planted,
    )

    assert outcome.good is good
