"""sync 的数据库测试共用的装置。"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sync.engine import runner
from sync.services.execution import Execution
from tests.engine.fakes import Answer, FakeClient
from tests.tokens.conftest import MakeToken, keys, make_token

__all__ = ["MakeToken", "keys", "make_token"]

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
        monkeypatch.setattr(runner, "BEAT", 0.01)
        return clients

    return use
