"""浏览器的测试共用的布置。"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from .chrome import Browser, NoBrowser, chrome


@pytest.fixture
def browser(live_server: LiveServer, tmp_path: Path) -> Iterator[Browser]:
    """看着测试网站的浏览器。"""
    try:
        with chrome(tmp_path / "profile", site=live_server.url) as opened:
            yield opened
    except NoBrowser as error:
        pytest.fail(str(error), pytrace=False)
