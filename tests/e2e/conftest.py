"""端到端测试共用的布置。"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest

from sync.engine.plan import Tuning
from sync.services.shards import execution

from .world import Staged


class Simulate(Protocol):
    """开一个模拟器,测试结束时关掉。"""

    def __call__(self, **options: Any) -> Staged: ...


@pytest.fixture
def simulate() -> Iterator[Simulate]:
    """开模拟器的函数。"""
    with ExitStack() as stack:

        def start(**options: Any) -> Staged:
            return stack.enter_context(Staged(**options))  # type: ignore[return-value]

        yield start


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """重试之间几乎不等。"""
    monkeypatch.setattr(execution, "TUNING", Tuning(backoff=0.01))
