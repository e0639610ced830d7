"""从 OpenAPI 文档生成的客户端,不改一个字就能用。"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django.live_server_helper import LiveServer

from tests import people
from tests.fixtures import MakeToken

from . import rows

GENERATOR = str(Path(sys.executable).with_name("openapi-python-client"))
# Its own tools would format the code; nobody reads it.
CONFIG = {"package_name_override": "generated", "post_hooks": []}
# As a person would write it who has never seen the API: import all, then use it.
USE = """
import importlib, pkgutil, sys
from datetime import date
import generated
for module in pkgutil.walk_packages(generated.__path__, "generated."):
    importlib.import_module(module.name)

from generated import AuthenticatedClient
from generated.api.klines import kline_list
from generated.api.stocks import stock_list
from generated.api.sync import failure_list, run_cancel, run_start
from generated.models import FailureStatusEnum, MarketEnum, PeriodEnum, RunRequest

client = AuthenticatedClient(*sys.argv[1:], raise_on_unexpected_status=True)
[stock] = stock_list.sync(client=client, market=MarketEnum.HK).results
[failure] = failure_list.sync(client=client, status=FailureStatusEnum.WAITING).results
bars = kline_list.sync(
    client=client,
    market=MarketEnum.HK,
    stock_code=stock.stock_code,
    period=PeriodEnum.DAY,
    start=date(2024, 1, 1),
)
wanted = RunRequest(start=date(2024, 3, 4), market=MarketEnum.HK, end=None)
run = run_start.sync(client=client, body=wanted)
ended = run_cancel.sync(run.id, client=client)
print(stock.stock_code, stock.periods[0].covered_to, failure.stock_code)
print(bars.results[0].close, bars.next_)
print(run.state, ended.state, run_start.sync(client=client, body=wanted).state)
"""


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """OpenAPI 文档的文件。"""
    file = tmp_path / "openapi.json"
    call_command("spectacular", format="openapi-json", file=str(file))
    return file


@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.runs_on("sqlite")  # the answers are tested on both
def test_a_generated_client_lists_reads_starts_and_cancels(
    document: Path,
    tmp_path: Path,
    transactional_db: None,
    live_server: LiveServer,
    make_token: MakeToken,
) -> None:
    make_token()
    stock = rows.stock()
    rows.covered(stock)
    rows.kline(stock, rows.AT, price="1.25")
    rows.failure()
    key = people.drawn(people.person(people.OPERATOR)).plain
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG))

    made = run(
        *(GENERATOR, "generate", "--path", str(document), "--config", str(config)),
        *("--meta", "none", "--output-path", str(tmp_path / "generated")),
        *("--fail-on-warning",),
        folder=tmp_path,
    )
    used = run(sys.executable, "-c", USE, live_server.url, key, folder=tmp_path)
    connection.close()

    assert made.returncode == 0, made.stdout + made.stderr
    assert used.returncode == 0, used.stderr
    assert used.stdout.splitlines() == [
        "700 2024-03-08 700",
        "1.25000000 None",
        "queued cancelled queued",
    ]


def test_what_may_be_left_out_has_no_default_and_is_no_choice_of_nothing(
    document: Path,
) -> None:
    shapes = json.loads(document.read_text())["components"]["schemas"]
    values = shapes["RunRequest"]["properties"] | shapes["RetryRequest"]["properties"]

    # With a default, openapi-typescript wants it given; a choice between a value and
    # "nothing" becomes a class of its own.
    assert not [name for name, value in values.items() if "default" in value]
    assert "NullEnum" not in shapes
    assert "BlankEnum" not in shapes


def test_a_choice_is_called_the_same_wherever_it_stands(document: Path) -> None:
    found = json.loads(document.read_text())
    parameters = [
        parameter
        for path in found["paths"].values()
        for call in path.values()
        for parameter in call.get("parameters", ())
    ]

    shapes = found["components"]["schemas"]
    named = [shape["enum"] for shape in shapes.values() if "enum" in shape]
    assert not [p for p in parameters if p["schema"].get("enum") in named]
    assert sum("MarketEnum" in str(p["schema"]) for p in parameters) >= 5
    words = shapes["PeriodEnum"]["x-enum-varnames"]
    assert words[:2] == ["MINUTES_1", "MINUTES_5"]
    assert all(word.isidentifier() for word in words)


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
