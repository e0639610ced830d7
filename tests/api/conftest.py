"""接口测试共用的装置。"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from .people import OPERATOR, VIEWER, signed_in


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    """次数和记住的数目都从头算起。"""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def viewer(db: None) -> APIClient:
    """能看的人。"""
    return signed_in(VIEWER)


@pytest.fixture
def operator(db: None) -> APIClient:
    """能补拉、能运行的人。"""
    return signed_in(OPERATOR)
