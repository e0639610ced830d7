from __future__ import annotations

import csv
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from django.conf import settings
from django.core.management import CommandError, call_command

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@contextmanager
def running(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in a process of its own, and the line it says when ready."""
    arguments = [sys.executable, "manage.py", "simulate_itick", "--port", "0", *options]
    with subprocess.Popen(
        arguments, cwd=settings.ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal_and_then_exits_with_0(
    tmp_path: Path, end: signal.Signals
) -> None:
    file = tmp_path / "tokens.csv"
    options = ["--tokens-csv", str(file), "--page-cap", "3", "--minute-limit", "7"]
    options += ["--batch-size", "2"]
    with running(*options) as (process, line):
        url = re.findall(r"http://127\.0\.0\.1:[0-9]+", line)[0]
        answer = requests.get(
            f"{url}/stock/klines?region=HK&codes=700,701&kType=8&limit=9",
            headers={"token": "simulated-token-12"},
            timeout=10,
        )
        process.send_signal(end)
        code = process.wait(timeout=5)

    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    assert (code, len(answer.json()["data"]["701"])) == (0, 3)
    assert len(rows) == 12
    assert rows[-1] == {
        "provider": "itick",
        "token": "simulated-token-12",
        "name": "simulated 12",
        "minute_limit": "7",
        "batch_size": "2",
        "base_url": url,
    }


def test_quirks_depth_and_faults_are_options() -> None:
    options = ["--quirk", "order=newest_first", "--quirk", "forming=no"]
    options += ["--depth", "day=3", "--deep-tokens", "1", "--tokens", "2"]
    with running(*options) as (_, line):
        url = re.findall(r"http://127\.0\.0\.1:[0-9]+", line)[0]
        deep, shallow = (
            requests.get(
                f"{url}/stock/kline?region=HK&code=700&kType=8&limit=9",
                headers={"token": f"simulated-token-0{number}"},
                timeout=10,
            ).json()["data"]
            for number in (1, 2)
        )

    assert (len(deep), len(shallow)) == (9, 3)
    assert deep[0]["t"] > deep[-1]["t"]


def test_one_kind_of_fault_is_an_option() -> None:
    with running("--fault", "http_403=1") as (_, line):
        url = re.findall(r"http://127\.0\.0\.1:[0-9]+", line)[0]
        answer = requests.get(
            f"{url}/symbol/v2/holidays?code=HK",
            headers={"token": "simulated-token-01"},
            timeout=10,
        )

    assert answer.status_code == 403


def test_a_port_in_use_is_told_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(CommandError, match=f"Port {port} cannot be used .* --port"):
            call_command("simulate_itick", port=port)


def test_a_port_that_cannot_exist_is_told_in_the_same_way() -> None:
    with pytest.raises(CommandError, match="Port 99999 cannot be used"):
        call_command("simulate_itick", port=99_999)


def test_a_token_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="could not be written"):
        call_command("simulate_itick", port=0, tokens_csv=tmp_path)


@pytest.mark.parametrize(
    "option",
    [
        "--fault-rate=1.5",
        "--fault-rate=much",
        "--stocks=-1",
        "--tokens=many",
        "--host=0.0.0.0",
        "--stamp=noon",
        "--quirk=colour=red",
        "--quirk=forming",
        "--quirk=page_cap=many",
        "--depth=year=1",
        "--depth=day=long",
        "--fault=colour=1",
        "--fault=reset=2",
        "--fault=reset=often",
    ],
)
def test_a_wrong_option_is_refused(option: str) -> None:
    with pytest.raises(CommandError):
        call_command("simulate_itick", option)
