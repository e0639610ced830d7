"""python -m tests.faults [NAMES…] [--kills N] [--seed N] [--plant NAME]

The fault campaign: prints a table, writes it to var/faults/ as JSON, and exits with 1
where anything was lost, done twice or over a limit. It has a MariaDB of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from tests.mariadb import CannotStart

from .ground import ground

if TYPE_CHECKING:
    from .report import Outcome

ROOT = Path(__file__).resolve().parent.parent.parent


def main(arguments: Sequence[str]) -> int:
    """命令行入口。"""
    options = _parser().parse_args(arguments)
    console = Console(width=max(Console().width, 120))
    began = time.monotonic()
    outcomes = []
    try:
        for outcome in campaign(options):
            outcomes.append(outcome)
            console.print(_line(outcome), markup=False)
    except CannotStart as reason:
        print(f"make faults: {reason}", file=sys.stderr)
        return 1
    console.print(table(outcomes))
    path = write(outcomes, options=options, path=options.json)
    bad = [outcome.name for outcome in outcomes if not outcome.good]
    seconds = f"{time.monotonic() - began:.0f} s"
    print(
        f"make faults: {len(bad)} of {len(outcomes)} FAILED {bad}"
        if bad
        else f"make faults: all {len(outcomes)} held, in {seconds}."
    )
    print(f"Written to {path}")
    return 1 if bad else 0


def campaign(options: argparse.Namespace) -> Iterator[Outcome]:
    """一个一个地演习。"""
    with ground() as place:
        # Only now: Django reads its settings once.
        from .scenarios import SCENARIOS, perform  # noqa: PLC0415

        if unknown := set(options.names) - set(SCENARIOS):
            sys.exit(f"unknown: {', '.join(unknown)}; known: {', '.join(SCENARIOS)}")
        for name in options.names or SCENARIOS:
            yield perform(
                name,
                place=place,
                number=options.kills,
                seed=options.seed,
                plants=tuple(options.plant),
            )


def table(outcomes: Sequence[Outcome]) -> Table:
    """给人看的表。"""
    columns = ("fault", "times", "klines", "lost or wrong", "calls", "asked twice")
    made = Table(*columns, "reserved in vain", "seconds", "verdict")
    for column in (*range(1, 8),):
        made.columns[column].justify = "right"
    for each in outcomes:
        numbers = (each.times, each.klines, len(each.wrong), each.calls, each.repeated)
        texts = [f"{number:,}" for number in (*numbers, each.given_up)]
        made.add_row(each.text, *texts, f"{each.seconds:.0f}", _verdict(each))
    return made


def write(
    outcomes: Sequence[Outcome], *, options: argparse.Namespace, path: str
) -> Path:
    """写成 JSON。"""
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    target = Path(path) if path else ROOT / "var/faults" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "kills": options.kills,
        "seed": options.seed,
        "planted": options.plant,
        "outcomes": [asdict(each) | {"good": each.good} for each in outcomes],
    }
    target.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return target


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--kills", type=int, default=100, help="how often; 100")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plant", action="append", default=[], metavar="FAULT")
    parser.add_argument("--json", default="", metavar="FILE")
    return parser


def _verdict(outcome: Outcome) -> str:
    if outcome.planted:
        return "found" if outcome.good else "[red]NOT FOUND[/red]"
    return "held" if outcome.good else "[red]FAILED[/red]"


def _line(outcome: Outcome) -> str:
    said = "ok " if outcome.good else "BAD"
    head = f"{said} {outcome.name}: {outcome.times} times, {outcome.seconds} s"
    shown = (each[:150] for each in (outcome.missed + outcome.wrong)[:3])
    return "\n    ".join([head, *shown])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
