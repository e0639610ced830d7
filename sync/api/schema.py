"""OpenAPI:各接口共有的部分。"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse

from .forms import ALIASES
from .shapes import ErrorSerializer

JSON = "application/json"
Endpoint = tuple[str, str, str, Callable[..., Any]]

_SAID = {
    401: "No valid access key and no session.",
    403: "The user has not the permission.",
    404: "There is no such thing.",
    409: "Not now: the text says why.",
    415: "The body is neither JSON nor a form.",
    429: "Too many calls; Retry-After says how long to wait.",
}
_BAD_VALUE = OpenApiResponse(
    OpenApiTypes.OBJECT, "A bad value: its name and what is wrong with it."
)


def answers(good: dict[Any, Any], *codes: int) -> dict[Any, Any]:
    """一个接口的回答:好的,和可能的错误。"""
    bad: dict[int, Any] = {400: _BAD_VALUE} if 400 in codes else {}  # noqa: PLR2004
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

    See `forms.checked` and `forms.ordered`; the library has no word for it.
    """
    shapes = result["components"]["schemas"]
    for operation in _operations(result):
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query" and not parameter.get("required"):
                parameter["allowEmptyValue"] = True
        contents = operation.get("requestBody", {}).get("content", {})
        for media_type, content in contents.items():
            shape = shapes[content["schema"]["$ref"].rpartition("/")[2]]
            nothing = None if media_type == JSON else ""
            content["schema"] = _or_nothing(shape, nothing)
    return result


def _operations(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [call for path in result["paths"].values() for call in path.values()]


def _or_nothing(shape: dict[str, Any], nothing: str | None) -> dict[str, Any]:
    needed, known = shape.get("required", ()), shape["properties"]
    plans = {plan: known[name] for plan, name in ALIASES.items() if name in known}
    properties = {
        name: value if name in needed else {"anyOf": [value, {"enum": [nothing]}]}
        for name, value in (known | plans).items()
    }
    return shape | {"properties": properties, "additionalProperties": False}
