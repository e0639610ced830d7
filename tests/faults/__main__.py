"""python -m tests.faults [NAMES…] [--kills N] [--seed N] [--plant NAME] [--galera]

The fault campaign: prints a table, writes it to var/faults/ as JSON, and exits with 1
where anything was lost, done twice or over a limit. It has a MariaDB of its own, or
with --galera a cluster of three, and then other scenarios.
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

from tests.galera import Galera, in_own_network
from tests.mariadb import CannotStart, MariaDB

from .ground import ground
from .tables import markdown, table

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
        if options.galera:
            in_own_network([sys.executable, "-m", "tests.faults", *arguments])
        for outcome in campaign(options):
            outcomes.append(outcome)
            print(_line(outcome), flush=True)
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
    with ground(Galera if options.galera else MariaDB) as place:
        # Only now: Django reads its settings once.
        from .scenarios import GALERA, SCENARIOS, perform  # noqa: PLC0415

        known = GALERA if options.galera else SCENARIOS
        if unknown := set(options.names) - set(known):
            sys.exit(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
        for name in options.names or known:
            yield perform(
                name,
                place=place,
                number=options.kills,
                seed=options.seed,
                plants=tuple(options.plant),
            )


def write(
    outcomes: Sequence[Outcome], *, options: argparse.Namespace, path: str
) -> Path:
    """写成 JSON,旁边是给文档的表。"""
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
    target.with_suffix(".md").write_text(markdown(outcomes))
    return target


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--kills", type=int, default=100, help="how often; 100")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plant", action="append", default=[], metavar="FAULT")
    parser.add_argument("--galera", action="store_true", help="a cluster of three")
    parser.add_argument("--json", default="", metavar="FILE")
    return parser


def _line(outcome: Outcome) -> str:
    said = "ok " if outcome.good else "BAD"
    head = f"{said} {outcome.name}: {outcome.times} times, {outcome.seconds} s"
    if waited := outcome.waited:
        head += f", the database away for {min(waited)} to {max(waited)} s"
    shown = (each[:150] for each in (outcome.missed + outcome.wrong)[:3])
    return "\n    ".join([head, *shown])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
