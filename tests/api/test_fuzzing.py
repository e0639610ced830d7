"""文档允许的和不允许的都发一遍:没有一个是 500,回答都像文档说的。"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.configuration import set_hypothesis_home_dir
from pytest_django.live_server_helper import LiveServer
from rest_framework.test import APIClient
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.tokens.conftest import MakeToken

from . import people, rows

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 15


@pytest.fixture
def world(transactional_db: None, make_token: MakeToken) -> str:
    """一点数据,和什么都能做的密钥。"""
    make_token()
    stock = rows.stock()
    rows.kline(stock, rows.AT)
    rows.failure()
    rows.shard(rows.run())
    return people.drawn(people.person(people.SUPERUSER)).plain


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_no_call_that_can_be_made_up_breaks_the_api(
    world: str, live_server: LiveServer, settings: Any, tmp_path: Path
) -> None:
    settings.API_CALLS_PER_MINUTE = 0
    set_hypothesis_home_dir(tmp_path)  # else it leaves a folder in the checkout
    document = APIClient().get("/api/schema", HTTP_AUTHORIZATION=f"Bearer {world}")
    schema = schemathesis.openapi.from_dict(document.json())
    found: list[Any] = list(schema.get_all_operations())
    operations = [result.ok() for result in found]

    for operation in operations:
        _fuzz(operation, url=live_server.url, key=world)

    assert len(operations) == 8


def _fuzz(operation: Any, *, url: str, key: str) -> None:
    for mode in schemathesis.GenerationMode:

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        def call(case: Any) -> None:
            headers = {"Authorization": f"Bearer {key}"}
            case.call_and_validate(base_url=url, headers=headers, checks=CHECKS)

        call()
