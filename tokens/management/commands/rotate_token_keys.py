"""manage.py rotate_token_keys。"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from common.commands import SpokenCommand
from tokens.rotation import rotate_all


class Command(SpokenCommand):
    """用第一个密钥重新加密所有 Token。"""

    help = (
        "Encrypt every token with the first key of TOKEN_ENCRYPTION_KEYS. "
        "Once it says that all are current, the older keys may be dropped."
    )

    def handle(self, **_options: Any) -> None:
        """执行命令。"""
        result = rotate_all()
        self.stdout.write(f"rotated {result.rotated}, already current {result.current}")
        if result.failed:
            lines = "\n".join(result.failed)
            raise CommandError(f"{len(result.failed)} left as they were:\n{lines}")
