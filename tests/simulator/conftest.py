from __future__ import annotations

from collections.abc import Iterator

import pytest

from sync.simulator import Simulator

from .calls import IN_SESSION


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator(now=IN_SESSION) as simulator:
        yield simulator
