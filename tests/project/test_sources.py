"""源代码的规矩。"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

PACKAGES = ("sync", "tokens", "stocksync_site", "scripts")
# Left out: what git ignores, and the test data of others.
IGNORED = {".git", ".venv", ".hypothesis", "var", "__pycache__", "node_modules"}
CHINESE = re.compile("[\u4e00-\u9fff]")
# Put together here, so that this file does not mention them.
LOCAL_PATHS = re.compile(r"(?<![\w.])/(?:work|root)/" + r"|\.\./sha" + "red")
LONG = 9


def project_files(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        inside = path.relative_to(root).parts
        hidden = any(part.endswith("_cache") for part in inside)
        if path.is_file() and not hidden and not IGNORED & set(inside):
            yield path


def silent_functions(source: str) -> list[str]:
    return [
        f"{node.lineno} {node.name}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and is_long_and_public(node)
        if not CHINESE.search((ast.get_docstring(node) or "").partition("\n")[0])
    ]


def is_long_and_public(node: ast.FunctionDef) -> bool:
    # A command's `handle` is explained by the command's help.
    public = not node.name.startswith("_") and node.name not in {
        "handle",
        "add_arguments",
    }
    return public and (node.end_lineno or 0) - node.lineno + 1 >= LONG


def test_long_public_functions_open_their_docstring_with_a_chinese_line(
    root: Path,
) -> None:
    sources = [
        path
        for package in PACKAGES
        for path in (root / package).rglob("*.py")
        if "migrations" not in path.parts
    ]

    silent = {
        str(path.relative_to(root)): names
        for path in sources
        if (names := silent_functions(path.read_text()))
    }

    assert silent == {}
    assert len(sources) > 10


def test_a_long_function_without_a_chinese_line_is_found() -> None:
    body = "\n".join(f"    x = {number}" for number in range(LONG))

    assert silent_functions(f"def f():\n    '''English.'''\n{body}") == ["1 f"]
    assert silent_functions(f"def f():\n    '''中文。'''\n{body}") == []
    assert silent_functions(f"def _f():\n{body}") == []


def test_every_command_is_mentioned_by_a_test(root: Path) -> None:
    commands = {
        path.stem
        for package in ("sync", "tokens")
        for path in (root / package / "management/commands").glob("*.py")
        if path.stem != "__init__"
    }
    tests = "".join(path.read_text() for path in (root / "tests").rglob("test_*.py"))

    untested = {name for name in commands if not re.search(rf"\b{name}\b", tests)}

    assert untested == set()


def test_the_engine_loads_where_nothing_but_the_standard_library_exists(
    root: Path,
) -> None:
    program = """
import importlib, pkgutil, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        own = top == "sync" or top.startswith("_sysconfigdata")
        if top not in sys.stdlib_module_names and not own:
            raise ImportError(f"{name} is not in the standard library")

sys.meta_path.insert(0, Blocker())
import sync.engine
names = [m.name for m in pkgutil.walk_packages(sync.engine.__path__, "sync.engine.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 3


@pytest.mark.django_db
def test_models_and_migrations_agree() -> None:
    out = StringIO()

    try:
        call_command("makemigrations", check=True, dry_run=True, stdout=out)
    except SystemExit:
        pytest.fail(out.getvalue())


def test_no_file_mentions_a_path_of_the_machine_it_was_written_on(root: Path) -> None:
    found = [
        f"{path.relative_to(root)}: {match.group()}"
        for path in project_files(root)
        for match in LOCAL_PATHS.finditer(path.read_text(errors="ignore"))
    ]

    assert found == []


def test_a_local_path_is_found() -> None:
    assert LOCAL_PATHS.search("cd /" + "work/main")
    assert LOCAL_PATHS.search("see ../" + "shared/docs")
    assert not LOCAL_PATHS.search("https://example.org/" + "work/main")


def test_every_requirement_says_why_it_is_there(root: Path) -> None:
    lines = [
        line
        for path in root.glob("requirements*.txt")
        for line in path.read_text().splitlines()
        if line.strip() and not line.startswith("#")
    ]

    unexplained = [line for line in lines if not re.search(r" # .*\w{3,}", line)]

    assert unexplained == []
    assert len(lines) > 20
