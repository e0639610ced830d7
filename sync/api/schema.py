"""OpenAPI:各接口共有的部分。"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse

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
