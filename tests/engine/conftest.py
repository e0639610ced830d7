from __future__ import annotations

import pytest

from sync.engine import runner as module


@pytest.fixture(autouse=True)
def _short_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The coordinator's pauses are real, so they are made short."""
    monkeypatch.setattr(module, "TICK", 0.005)
    monkeypatch.setattr(module, "LANES_STOP", 0.1)
