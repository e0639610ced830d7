"""OpenAPI 文档:和接口一致,能用来生成客户端。"""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from tests import people

ERRORS = {
    "completeness_list": {"400", "404"},
    "split_list": {"400", "404"},
    "failure_list": {"400", "404"},
    "kline_csv": {"400", "404"},
    "retry_failed": {"400", "409", "415"},
    "run_list": {"400", "404"},
    "run_start": {"400", "409", "415"},
    "run_forecast": {"400", "409", "415"},
    "run_detail": {"404"},
    "run_cancel": {"404", "409", "415"},
    "kline_list": {"400", "404"},
    "stock_list": {"400", "404"},
    "metrics": set(),
}


@pytest.fixture
def schema(viewer: APIClient) -> dict[str, Any]:
    """文档。"""
    document: dict[str, Any] = viewer.get("/api/schema").json()
    return document


def operations(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        operation["operationId"]: operation
        for path in schema["paths"].values()
        for operation in path.values()
    }


def test_the_document_is_valid_and_made_without_a_warning(tmp_path: Any) -> None:
    file = tmp_path / "schema.yaml"

    call_command("spectacular", validate=True, fail_on_warn=True, file=str(file))

    assert "openapi: 3" in file.read_text()


def test_each_operation_has_its_name_and_its_errors(schema: dict[str, Any]) -> None:
    found = operations(schema)

    assert set(found) == set(ERRORS)
    for name, operation in found.items():
        errors = {code for code in operation["responses"] if code >= "400"}
        assert errors == {"401", "403", "429"} | ERRORS[name], name


def test_each_path_is_there_once(schema: dict[str, Any]) -> None:
    assert len(schema["paths"]) == 12
    assert not [path for path in schema["paths"] if path.endswith("/")]


def test_a_body_is_json_and_holds_nothing_but_the_names_that_are_known(
    schema: dict[str, Any],
) -> None:
    found = operations(schema)
    for name, shape, needed in (
        ("run_start", "RunRequest", True),
        ("run_forecast", "RunRequest", True),
        ("retry_failed", "RetryRequest", False),
    ):
        body = found[name]["requestBody"]
        reference = {"$ref": f"#/components/schemas/{shape}"}
        assert body["content"] == {"application/json": {"schema": reference}}
        assert body.get("required", False) is needed
        assert schema["components"]["schemas"][shape]["additionalProperties"] is False


def test_both_ways_to_sign_in_are_offered(schema: dict[str, Any]) -> None:
    schemes = schema["components"]["securitySchemes"]

    assert schemes["accessKey"] == {"type": "http", "scheme": "bearer"}
    assert schemes["cookieAuth"]["in"] == "cookie"
    for operation in operations(schema).values():
        assert operation["security"] == [{"accessKey": []}, {"cookieAuth": []}]


def test_values_have_their_types(schema: dict[str, Any]) -> None:
    shapes = schema["components"]["schemas"]
    kline, failure = shapes["Kline"], shapes["Failure"]

    assert set(kline["required"]) == set(kline["properties"])
    assert kline["properties"]["open"]["type"] == "string"
    assert failure["properties"]["start_date"]["format"] == "date"
    assert set(failure["required"]) == set(failure["properties"])
    assert shapes["FailureStatusEnum"]["enum"] == [0, 1, 2]
    assert "waiting" in shapes["RunStateEnum"]["enum"]
    assert "HK" in shapes["MarketEnum"]["enum"]
    assert shapes["RunRequest"]["required"] == ["start"]


def test_what_may_be_left_blank_says_so(schema: dict[str, Any]) -> None:
    parameters = operations(schema)["kline_list"]["parameters"]
    query = {value["name"]: value for value in parameters}
    values = schema["components"]["schemas"]["RunRequest"]["properties"]

    assert query["period"]["allowEmptyValue"] is True
    assert "allowEmptyValue" not in query["market"]
    assert values["end"] == {"type": "string", "format": "date", "nullable": True}
    assert values["market"] == {
        "allOf": [{"$ref": "#/components/schemas/MarketEnum"}],
        "nullable": True,
    }
    assert values["start"] == {"type": "string", "format": "date"}


def test_the_texts_are_english(schema: dict[str, Any]) -> None:
    assert str(schema).isascii()


def test_the_page_loads_nothing_from_elsewhere(viewer: APIClient) -> None:
    page = viewer.get("/api/docs", HTTP_ACCEPT="text/html")
    text = page.content.decode()

    assert "drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js" in text
    assert "http://" not in text
    assert "https://" not in text
    assert "/api/schema" in viewer.get("/api/docs?script=").content.decode()


def test_the_page_alone_has_a_wider_policy(viewer: APIClient) -> None:
    page = viewer.get("/api/docs")["Content-Security-Policy"]
    other = viewer.get("/api/schema")["Content-Security-Policy"]

    assert "style-src 'self' 'unsafe-inline'" in page
    assert "unsafe" not in other
    assert "script-src" not in page  # as everywhere: ours alone


def test_a_stranger_sees_no_document(db: None) -> None:
    client = people.caller(people.ANONYMOUS)

    for path in ("/api/schema", "/api/docs"):
        answer = client.get(path, HTTP_ACCEPT="text/html, */*")
        assert answer.status_code == 401
        assert b"stocksync" not in answer.content
