"""OpenAPI:各接口共有的部分。"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import OpenApiResponse

from ..models import FailureStatus
from .shapes import ErrorSerializer

Endpoint = tuple[str, str, str, Callable[..., Any]]

_SAID = {
    401: "No valid access key and no session.",
    403: "The user has not the permission.",
    404: "There is no such thing.",
    409: "Not now: the text says why.",
    415: "The body is neither JSON nor a form.",
    429: "Too many calls; Retry-After says how long to wait.",
}
# Words for choices that cannot be names.
WORDS: dict[str, dict[Any, str]] = {
    "PeriodEnum": {f"{n}m": f"MINUTES_{n}" for n in (1, 5, 15, 30, 60)},
    "FailureStatusEnum": {status.value: status.name for status in FailureStatus},
}
_BAD_VALUES = OpenApiResponse(
    {"$ref": "#/components/schemas/BadValues"},
    "A bad value: its name and what is wrong with it.",
)


def answers(good: dict[Any, Any], *codes: int) -> dict[Any, Any]:
    """一个接口的回答:好的,和可能的错误。"""
    bad: dict[int, Any] = {400: _BAD_VALUES} if 400 in codes else {}  # noqa: PLR2004
    for code in sorted({401, 403, 429, *codes} - {400}):
        bad[code] = OpenApiResponse(ErrorSerializer, _SAID[code])
    return good | bad


def without_final_slash(endpoints: list[Endpoint]) -> list[Endpoint]:
    """同一个接口有两个地址,文档里只写一个。"""
    return [endpoint for endpoint in endpoints if not endpoint[0].endswith("/")]


def without_notes(result: dict[str, Any], **_options: Any) -> dict[str, Any]:
    """类的说明是给读源代码的人的,文档里不要。"""
    for shape in result["components"]["schemas"].values():
        if "enum" not in shape:
            shape.pop("description", None)
    return result


def with_nothing(result: dict[str, Any], **_options: Any) -> dict[str, Any]:
    """空着的可选值等于没有给,JSON 里是 null;别的名字不许有:文档也这样写。

    See `forms.checked`; the library has no word for it. The plan's names are taken as
    well and stand in the descriptions only: a generated client would have each twice.
    """
    for operation in _operations(result):
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query" and not parameter.get("required"):
                parameter["allowEmptyValue"] = True
        for content in operation.get("requestBody", {}).get("content", {}).values():
            _or_nothing(_component(result, content["schema"]["$ref"]))
    return result


def with_named_choices(result: dict[str, Any], **_options: Any) -> dict[str, Any]:
    """查询参数里的选项也用组件的名字:生成的客户端里一种选项只有一个类。"""
    shapes = result["components"]["schemas"]
    names = {
        tuple(shape["enum"]): name for name, shape in shapes.items() if "enum" in shape
    }
    for operation in _operations(result):
        for parameter in operation.get("parameters", ()):
            schema = parameter["schema"]
            if name := names.get(tuple(schema.get("enum", ()))):
                choice: dict[str, Any] = {"$ref": f"#/components/schemas/{name}"}
                if "default" in schema:
                    choice = {"allOf": [choice], "default": schema["default"]}
                parameter["schema"] = choice
    return result


def with_words(result: dict[str, Any], **_options: Any) -> dict[str, Any]:
    """不能当名字用的选项,给生成的客户端一个词:`PeriodEnum.MINUTES_5`。"""
    shapes = result["components"]["schemas"]
    for name, words in WORDS.items():
        shape = shapes[name]
        shape["x-enum-varnames"] = [words.get(v, str(v).upper()) for v in shape["enum"]]
    return result


def _operations(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [call for path in result["paths"].values() for call in path.values()]


def _component(result: dict[str, Any], reference: str) -> dict[str, Any]:
    shape: dict[str, Any] = result["components"]["schemas"][
        reference.rpartition("/")[2]
    ]
    return shape


def _or_nothing(shape: dict[str, Any]) -> None:
    needed = shape.get("required", ())
    for name, value in shape["properties"].items():
        if name not in needed:
            # Beside a $ref nothing else is read.
            plain = {"allOf": [value]} if "$ref" in value else value
            # To openapi-typescript what has a default has to be given.
            plain.pop("default", None)
            shape["properties"][name] = plain | {"nullable": True}
    shape["additionalProperties"] = False
