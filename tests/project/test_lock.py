"""锁文件:每个包一个版本,带哈希,和要求一致。"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# A pinned package and all that belongs to it: its marker and hashes.
PIN = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>\S+)(?P<rest>(?:.*\\\n)*.*)", re.MULTILINE
)
RUN_TIME = ("requirements.lock", "requirements-parquet.lock", "requirements-mysql.lock")
LICENCE = re.compile(r"^\| (?P<name>[\w.-]+) +\| (?P<version>\d\S*) ", re.MULTILINE)


def pins(lock: Path) -> dict[str, re.Match[str]]:
    found = PIN.finditer(lock.read_text())
    return {canonicalize_name(pin["name"]): pin for pin in found}


def wanted(path: Path) -> Iterator[Requirement]:
    for line in path.read_text().splitlines():
        text = line.partition("#")[0].strip()
        if text and not text.startswith("-r"):
            yield Requirement(text)


def test_each_requirement_is_locked_within_its_bounds(root: Path) -> None:
    unmet = [
        f"{path.name}: {requirement}"
        for path in root.glob("requirements*.txt")
        for requirement in wanted(path)
        if (
            pin := pins(path.with_suffix(".lock")).get(
                canonicalize_name(requirement.name)
            )
        )
        is None
        or pin["version"] not in requirement.specifier
    ]

    assert unmet == [], "run 'make lock'"


def test_a_package_has_one_version_and_hashes_in_all_locks(root: Path) -> None:
    versions: dict[str, set[str]] = {}
    for path in root.glob("requirements*.lock"):
        for name, pin in pins(path).items():
            versions.setdefault(name, set()).add(pin["version"])
            assert "--hash=sha256:" in pin["rest"], f"{path.name}: {name}"

    assert {name: two for name, two in versions.items() if len(two) > 1} == {}
    assert len(versions) > 50


def test_the_list_of_licences_names_what_is_locked(root: Path) -> None:
    listed = {
        (canonicalize_name(row["name"]), row["version"])
        for row in LICENCE.finditer((root / "docs/licences.md").read_text())
    }
    locked = {
        (name, pin["version"])
        for lock in RUN_TIME
        for name, pin in pins(root / lock).items()
        if "sys_platform ==" not in pin["rest"]  # another system's
    }

    assert listed == locked, "run 'make lock'"
