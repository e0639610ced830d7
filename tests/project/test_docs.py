"""文档说的和代码做的一致。"""

from __future__ import annotations

import ast
import re
from pathlib import Path

READERS = {"_text", "_required", "_integer", "_switch", "_list"}


def read_by_settings(root: Path) -> set[str]:
    tree = ast.parse((root / "stocksync_site/settings.py").read_text())
    return {
        str(call.args[0].value)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in READERS
        and isinstance(call.args[0], ast.Constant)
    }


def test_every_variable_that_settings_read_is_documented_and_no_other(
    root: Path,
) -> None:
    table = (root / "docs/settings.md").read_text()

    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE))

    assert documented == read_by_settings(root)
    assert {"DJANGO_SECRET_KEY", "STOCK_SYNC_MAX_THREADS"} <= documented


def test_settings_read_the_environment_through_the_typed_readers_only(
    root: Path,
) -> None:
    text = (root / "stocksync_site/settings.py").read_text()

    direct = re.findall(r"\benv\.\w+\(|os\.environ|getenv", text)

    assert direct == ["env.str("]  # the one inside _text


def test_every_check_id_is_documented(root: Path) -> None:
    source = (root / "stocksync_site/checks.py").read_text()
    ids = set(re.findall(r'"(?:stocksync\.)?([EW]\d{3})"', source))

    missing = {i for i in ids if i not in (root / "docs/settings.md").read_text()}

    assert len(ids) > 10
    assert missing == set()


def test_the_first_screen_of_each_readme_holds_the_two_commands(root: Path) -> None:
    for name in ("README.md", "README.zh-CN.md"):
        screen = "\n".join((root / name).read_text().splitlines()[:30])

        assert "make demo" in screen, name
        assert "make test" in screen, name


def test_links_between_documents_lead_somewhere(root: Path) -> None:
    documents = [*root.glob("*.md"), *root.glob("docs/**/*.md")]

    broken = [
        (document.name, target)
        for document in documents
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text())
        if "://" not in target and not (document.parent / target).exists()
    ]

    assert broken == []


def test_every_make_target_has_a_line_of_help(root: Path) -> None:
    makefile = (root / "Makefile").read_text()

    targets = re.findall(r"^([a-z]+):", makefile, re.MULTILINE)

    named = {"setup", "demo", "test", "check", "serve", "bench", "faults", "help"}
    named |= {"lock", "audit"}
    assert named == set(targets)
    assert all(
        re.search(rf"^{name}: ## \w", makefile, re.MULTILINE) for name in targets
    )


ROOMS = (
    *("common", "tokens", "sync/engine", "sync/providers"),
    *("sync/models", "sync/storage", "sync/services"),
)


def modules(root: Path) -> set[str]:
    """这些房间里的模块;管理页面、命令和迁移按文件夹说。"""
    by_folder = {"management", "migrations", "admin"}
    return {
        path.stem
        for room in ROOMS
        for path in (root / room).rglob("*.py")
        if not by_folder & set(path.parts)
    } - {"__init__", "apps"}


def test_every_module_has_a_line_in_the_map_of_the_house(root: Path) -> None:
    text = (root / "docs/architecture.md").read_text()

    named = set(re.findall(r"`(?:[a-z_]+/)?([a-z_]+)`", text))

    assert modules(root) - named == set()
    assert len(modules(root)) > 60


def test_the_map_of_the_house_names_no_module_that_is_gone(root: Path) -> None:
    text = (root / "docs/architecture.md").read_text()
    cells = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    named = {name for cell in cells for name in re.findall(r"`([a-z_/]+)`", cell)}

    rooms = [root / each for each in ("sync", "tokens", "common", "stocksync_site")]
    here = {path.with_suffix("") for room in rooms for path in room.rglob("*")}
    gone = {
        name for name in named if not any(path.match(name.rstrip("/")) for path in here)
    }

    assert gone == set()
    assert len(named) > 60
