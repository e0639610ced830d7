"""用例可以预料的拒绝。

Refused
├── AlreadyRunning   the same request is running
└── NoUsableToken    没有可用的 Token

The text is one sentence for people: what is wrong and what to do.
"""

from __future__ import annotations


class Refused(Exception):
    """请求不能执行;文字说明原因和办法。"""


class AlreadyRunning(Refused):
    """同样的请求正在运行。"""


class NoUsableToken(Refused):
    """没有可用的 Token。"""

    def __init__(self, why: str) -> None:
        super().__init__(f"没有可用的 Token: {why}")
