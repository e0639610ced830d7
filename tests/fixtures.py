"""几个房间的测试都用的装置;由 conftest.py 交给 pytest。"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any, Protocol

import pytest
from cryptography.fernet import Fernet
from django.core.cache import cache
from pytest_django import Settings

from sync.engine.plan import Tuning
from sync.services.shards import execution
from sync.services.shards.execution import Execution
from tests.engine.fakes import Answer, FakeClient
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


@pytest.fixture
def empty_cache() -> Iterator[None]:
    """次数和记住的数目都从头算起。"""
    cache.clear()
    yield
    cache.clear()


Provider = Callable[[Answer], list[FakeClient]]


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    """让运行问假的服务商;返回的列表里是它开过的通道。

    Heartbeats follow each other at once, so that nobody has to wait for one.
    """

    def use(answer: Answer) -> list[FakeClient]:
        clients: list[FakeClient] = []

        def connect(_execution: Execution) -> FakeClient:
            clients.append(FakeClient(answer))
            return clients[-1]

        monkeypatch.setattr(Execution, "_connect", connect)
        monkeypatch.setattr(execution, "TUNING", Tuning(beat=0.01))
        return clients

    return use
