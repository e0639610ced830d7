"""python -m benchmarks [NAMES…] [--quick]

Prints a table and writes it to var/bench/ as JSON. It uses databases of its own and
never the one of the settings. Each group is measured in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from rich.console import Console
from rich.table import Table

from . import machine, places
from .figures import Figure

ROOT = Path(__file__).resolve().parent.parent
# The databases of a group, the first that is there or, for writing, all.
USUAL = (
    *("writing", "lanes", "pipeline", "idle", "topup", "limits", "size"),
    *("clusters", "export"),
)
BOTH = {"writing", "export"}
GROUPS = (*USUAL, "pages")  # filling the tables for the pages takes minutes


def main(arguments: Sequence[str]) -> int:
    """命令行入口。"""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(GROUPS))
    parser.add_argument("--quick", action="store_true", help="tiny sizes, no meaning")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(GROUPS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {GROUPS}")
    console = Console(width=max(Console().width, 110))
    facts = machine.facts()
    began = time.monotonic()
    figures = measure(options.names or USUAL, quick=options.quick, facts=facts)
    facts["seconds"] = f"{time.monotonic() - began:.0f}"
    console.print(" · ".join(f"{name} {value}" for name, value in facts.items()))
    console.print(table(figures))
    console.print(f"Written to {write(figures, facts=facts).relative_to(ROOT)}")
    return 0


def measure(
    names: Sequence[str], *, quick: bool, facts: dict[str, str]
) -> list[Figure]:
    """量这几组;`facts` 里补上 MariaDB 的版本。"""
    figures: list[Figure] = []
    with places.databases() as databases:
        for name in names:
            # A run is measured where big markets are kept; writing on both.
            wanted = list(databases) if name in BOTH else list(databases)[-1:]
            for database in wanted:
                answer = worker(name, url=databases[database](), quick=quick)
                figures += map(Figure.from_json, answer["figures"])
                if answer["version"]:
                    facts["MariaDB"] = answer["version"]
    return figures


def worker(name: str, *, url: str, quick: bool) -> Any:
    """在自己的进程里量一组。"""
    variables = os.environ | {
        "DATABASE_URL": url,
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(50),
        "TOKEN_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, "-m", "benchmarks.worker", name]
    done = subprocess.run(
        [*command, "--quick"] if quick else command,
        env=variables,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


def table(figures: Sequence[Figure]) -> Table:
    """给人看的表。"""
    made = Table("what", "database", "median", "of", "against", "that", "share", "goal")
    for column in (2, 3, 5, 6, 7):
        made.columns[column].justify = "right"
    for figure in figures:
        head = [figure.name, figure.database, _number(figure.value, figure.unit)]
        head.append(str(figure.runs))
        for each in figure.against:
            goal = f"≥ {each.goal:g}" if each.goal else ""
            share = f"{each.share:.2f} ×"
            shown = share if each.met else f"[red]{share}[/red]"
            made.add_row(*head, each.what, _number(each.value), shown, goal)
            head = ["", "", "", ""]
        if not figure.against:
            made.add_row(*head)
    return made


def write(figures: Sequence[Figure], *, facts: dict[str, str]) -> Path:
    """写进 var/bench/,文件名是此刻。"""
    folder = ROOT / "var/bench"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    content = {"machine": facts, "figures": [each.as_json() for each in figures]}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return path


def _number(value: float, unit: str = "") -> str:
    digits = 0 if value >= 100 or value == int(value) else 2
    return f"{value:,.{digits}f} {unit}".strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
