from __future__ import annotations

from collections.abc import Iterator

import pytest

from sync.providers.itick import ItickClient

from .server import Server, running


@pytest.fixture
def server() -> Iterator[Server]:
    with running(Server()) as server:
        yield server


@pytest.fixture
def other() -> Iterator[Server]:
    """A second server, which nothing should reach."""
    with running(Server()) as server:
        yield server


@pytest.fixture
def client() -> Iterator[ItickClient]:
    client = ItickClient(allowed_hosts=["api.itick.org"])
    yield client
    client.close()
