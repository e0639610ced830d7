"""接口测试共用的装置。"""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from tests.people import OPERATOR, VIEWER, signed_in


@pytest.fixture(autouse=True)
def _empty_cache(empty_cache: None) -> None:
    """Each test counts from nothing."""


@pytest.fixture
def viewer(db: None) -> APIClient:
    """能看的人。"""
    return signed_in(VIEWER)


@pytest.fixture
def operator(db: None) -> APIClient:
    """能补拉、能运行的人。"""
    return signed_in(OPERATOR)
