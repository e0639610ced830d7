"""写 .env:缺的密钥补上,已有的值不动。

Standard library only: it runs while the project is being set up.
"""

from __future__ import annotations

import base64
import os
import secrets
import sys
from pathlib import Path

HEADER = (
    "# Settings of this checkout; docs/settings.md lists them all. Keep it secret.\n"
)


def fresh_values() -> dict[str, str]:
    """新的随机密钥。"""
    return {
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(50),
        # What Fernet.generate_key() does, without needing cryptography installed.
        "TOKEN_ENCRYPTION_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
    }


def completed(text: str, *, values: dict[str, str]) -> str:
    """补上缺少的变量,其余一字不动。

    A name with nothing after its `=` counts as missing, and its line is dropped: the
    first line of a name is the one that is read.
    """
    lines = text.splitlines()
    present = {_name(line) for line in lines if _value(line)}
    missing = {name: value for name, value in values.items() if name not in present}
    kept = [line for line in lines if _name(line) not in missing]
    added = [f"{name}={value}" for name, value in missing.items()]
    return "".join(f"{line}\n" for line in kept + added)


def _name(line: str) -> str:
    return line.partition("=")[0].removeprefix("export ").strip()


def _value(line: str) -> str:
    return line.partition("=")[2].strip().strip("\"'")


def write(path: Path) -> None:
    """补全文件,权限 0600。

    Replaced in one step, so that a crash leaves the old file; a link stays a link.
    """
    path = path.resolve()
    old = path.read_text(encoding="utf-8") if path.exists() else HEADER
    new = completed(old, values=fresh_values())
    if path.exists() and new == old:
        path.chmod(0o600)
        return
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    draft.touch(mode=0o600)
    draft.write_text(new, encoding="utf-8")
    draft.replace(path)
    print(f"set-up: wrote missing secrets to {path.name}")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
