"""The engine reads from top to bottom: no module imports one that comes after it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import sync.engine

FOLDER = Path(sync.engine.__file__).parent
ORDER = re.findall(r"^    ([a-z_]+)  ", sync.engine.__doc__ or "", re.MULTILINE)


def imported(module: str) -> set[str]:
    """The engine's modules that one of them imports."""
    tree = ast.parse((FOLDER / f"{module}.py").read_text())
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            found |= {node.module} if node.module else {n.name for n in node.names}
    return found


def test_the_reading_order_names_every_module() -> None:
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}

    assert len(ORDER) == len(set(ORDER))
    assert set(ORDER) == files


def test_each_module_imports_only_from_those_above_it() -> None:
    above = {name: set(ORDER[:place]) for place, name in enumerate(ORDER)}

    below = {name: imported(name) - above[name] for name in ORDER}

    assert {name: found for name, found in below.items() if found} == {}
