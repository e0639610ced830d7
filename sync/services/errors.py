"""用例可以预料的拒绝。

Refused
├── AlreadyRunning   the same request is running
└── NoUsableToken    没有可用的 Token

The text is one sentence for people: what is wrong and what to do.
"""

from __future__ import annotations

from collections.abc import Collection


class Refused(Exception):
    """请求不能执行;文字说明原因和办法。"""


class AlreadyRunning(Refused):
    """同样的请求正在运行。"""


class NoUsableToken(Refused):
    """没有可用的 Token。"""

    def __init__(self, why: str) -> None:
        super().__init__(f"没有可用的 Token: {why}")


def known(what: str, value: str, names: Collection[str]) -> None:
    """名字必须认识;不认识时抛出 Refused,说出认识的。"""
    if value not in names:
        raise Refused(f"Unknown {what} {value!r}: known are {', '.join(names)}.")
