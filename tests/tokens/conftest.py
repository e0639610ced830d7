"""Token 测试共用的造物。"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any, Protocol

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from tokens.models import ApiToken

AT = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)


class MakeToken(Protocol):
    """存一个 Token;没有给出值就用一个新的。"""

    def __call__(self, *, value: str = "", **columns: Any) -> ApiToken: ...


@pytest.fixture
def make_token() -> MakeToken:
    """存 Token 的函数。"""
    numbers = count(1)

    def make(*, value: str = "", **columns: Any) -> ApiToken:
        token = ApiToken(**columns)
        token.set_secret(value or f"secret-value-{next(numbers):04}")
        token.save()
        return token

    return make


@pytest.fixture
def keys(settings: Settings) -> list[str]:
    """自己的两个密钥;设置里先只有第一个。"""
    made = [Fernet.generate_key().decode() for _ in range(2)]
    settings.TOKEN_ENCRYPTION_KEYS = made[:1]
    return made
