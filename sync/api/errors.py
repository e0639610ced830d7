"""服务的拒绝变成 HTTP 的回答。"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import csrf_exempt
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler

from ..services import BadRequest, Refused


class Conflict(APIException):
    """现在不行:别的正在运行,没有可用的 Token,已经结束。"""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF 的形状:`BadRequest` 是 400,写在它的字段名下;别的 `Refused` 是 409。"""
    if isinstance(error, BadRequest):
        error = ValidationError({error.field: [str(error)]})
    if isinstance(error, Refused):
        error = Conflict(str(error))
    if isinstance(error, SuspiciousOperation):
        # A form with too many fields, say: Django would answer with a web page.
        error = ParseError()
    return exception_handler(error, context)


@cache_control(no_store=True)
@csrf_exempt  # it changes nothing, and that refusal is a web page as well
def nothing(request: HttpRequest) -> JsonResponse:
    """没有这个地址;Django 自己的 404 是网页。"""
    return JsonResponse({"detail": "Not found."}, status=status.HTTP_404_NOT_FOUND)
