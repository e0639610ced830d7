"""在本机上跑一个 iTick 模拟器。"""

from __future__ import annotations

import csv
import signal
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Any, TypeVar, get_args

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sync.simulator import Account, Faults, Quirks, Simulator, demo_accounts
from sync.simulator.quirks import End, Order, Stamp
from sync.simulator.spelling import depth_from, faults_from, quirks_from

_Value = TypeVar("_Value")
_COLUMNS = ("provider", "token", "name", "minute_limit", "batch_size", "base_url")


class Command(BaseCommand):
    help = "Run an iTick look-alike on loopback, until Ctrl-C or SIGTERM."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """参数。"""
        parser.add_argument("--port", type=_count, default=9000, help="0: any free one")
        parser.add_argument("--host", choices=["127.0.0.1"], default="127.0.0.1")
        parser.add_argument("--stocks", type=_count, default=300, help="per market")
        parser.add_argument("--tokens", type=_count, default=12)
        parser.add_argument("--minute-limit", type=_count, default=0, help="0: none")
        parser.add_argument("--daily-limit", type=_count, default=0, help="0: none")
        parser.add_argument("--batch-size", type=_count, default=1, help="per call")
        parser.add_argument("--latency-ms", type=_count, default=0)
        parser.add_argument("--page-cap", type=_count, help="bars; 0: none")
        parser.add_argument("--stamp", choices=get_args(Stamp))
        parser.add_argument("--order", choices=get_args(Order))
        parser.add_argument("--et", choices=get_args(End))
        parser.add_argument(
            "--quirk",
            type=_pair,
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="any other field of Quirks, as in docs/simulator.md",
        )
        parser.add_argument(
            "--depth",
            type=_pair,
            action="append",
            default=[],
            metavar="PERIOD=REACH",
            help="how far back the plan sees: day=440 bars, or day=2024-01-01",
        )
        parser.add_argument(
            "--deep-tokens", type=_count, default=0, help="so many see everything"
        )
        parser.add_argument("--fault-rate", type=_share, default=0.0, help="0 to 1")
        parser.add_argument(
            "--fault",
            type=_pair,
            action="append",
            default=[],
            metavar="NAME=SHARE",
            help="one kind of fault, instead of the mix of --fault-rate",
        )
        parser.add_argument("--seed", type=int, default=1, help="which calls go wrong")
        parser.add_argument(
            "--tokens-csv", type=Path, help="write the tokens there for import_tokens"
        )

    def handle(self, *, tokens_csv: Path | None, **options: Any) -> None:
        """执行命令,直到被要求停下。"""
        accounts = _accounts(options)
        with _simulator(accounts, options=options) as simulator:
            if tokens_csv is not None:
                _write(tokens_csv, accounts=accounts, base_url=simulator.base_url)
            stop = _stop_on_signals()
            self.stdout.write(_greeting(simulator, tokens=len(accounts)))
            self.stdout.flush()
            stop.wait()


def _accounts(options: dict[str, Any]) -> list[Account]:
    accounts = demo_accounts(
        options["tokens"],
        minute_limit=options["minute_limit"],
        daily_limit=options["daily_limit"],
        batch_size=max(1, options["batch_size"]),
    )
    deep = options["deep_tokens"]
    depth = _understood(depth_from, dict(options["depth"]), option="--depth")
    return [
        *accounts[:deep],
        *(replace(account, depth=depth) for account in accounts[deep:]),
    ]


def _quirks(options: dict[str, Any]) -> Quirks:
    named = ("page_cap", "stamp", "order", "et")
    told = {name: options[name] for name in named if options[name] is not None}
    return _understood(quirks_from, dict(options["quirk"]) | told, option="--quirk")


def _faults(options: dict[str, Any]) -> Faults:
    if not options["fault"]:
        return Faults.mixed(options["fault_rate"], seed=options["seed"])
    return _understood(
        faults_from,
        dict(options["fault"]) | {"seed": options["seed"]},
        option="--fault",
    )


def _understood(
    read: Callable[[dict[str, Any]], _Value], given: dict[str, Any], *, option: str
) -> _Value:
    try:
        return read(given)
    except ValueError as error:
        raise CommandError(f"{option}: {error}.") from error


def _simulator(accounts: list[Account], *, options: dict[str, Any]) -> Simulator:
    quirks, faults = _quirks(options), _faults(options)
    try:
        return Simulator(
            accounts=accounts,
            stocks=options["stocks"],
            quirks=quirks,
            faults=faults,
            latency=options["latency_ms"] / 1000,
            port=options["port"],
        )
    except (OSError, OverflowError) as error:
        raise CommandError(
            f"Port {options['port']} cannot be used ({error}): choose one with --port."
        ) from error


def _write(path: Path, *, accounts: list[Account], base_url: str) -> None:
    rows = [
        (
            "itick",
            account.key,
            f"simulated {number:02d}",
            account.minute_limit,
            account.batch_size,
            base_url,
        )
        for number, account in enumerate(accounts, start=1)
    ]
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([_COLUMNS, *rows])
    except OSError as error:
        raise CommandError(f"The tokens could not be written: {error}.") from error


def _stop_on_signals() -> Event:
    stop = Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, ask_to_stop)
    signal.signal(signal.SIGTERM, ask_to_stop)
    return stop


def _greeting(simulator: Simulator, *, tokens: int) -> str:
    return (
        f"Simulated iTick at {simulator.base_url} with tokens simulated-token-01 "
        f"to -{tokens:02d}: set ITICK_BASE_URL to that address, or import the file of "
        "--tokens-csv; stop with Ctrl-C."
    )


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ArgumentTypeError("a whole number, 0 or more, is wanted")
    return int(text)


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign):
        raise ArgumentTypeError("NAME=VALUE is wanted")
    return name, value


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ArgumentTypeError("a number from 0 to 1 is wanted")
    return share
