"""每个接口的门。"""

from __future__ import annotations

from typing import Any

from django.utils.cache import patch_cache_control
from rest_framework.exceptions import (
    AuthenticationFailed,
    NotAuthenticated,
    PermissionDenied,
)
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Guarded(APIView):
    """被拒绝的调用也要计数;回答谁也不许存。

    The library counts only those it lets in: whoever tries keys could go on for ever.
    """

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """是谁,可不可以,会不会太多。"""
        try:
            super().initial(request, *args, **kwargs)
        except (NotAuthenticated, AuthenticationFailed, PermissionDenied):
            self.check_throttles(request)
            raise

    def finalize_response(
        self,
        request: Request,
        response: Response,
        *args: Any,
        **kwargs: Any,
    ) -> Response:
        """错误的回答也一样:代理和浏览器都不留一份。"""
        patch_cache_control(response, no_store=True)
        return super().finalize_response(request, response, *args, **kwargs)


class OneFormat(Guarded):
    """只有一种格式、不是 JSON 的接口:问什么都给它;JSON 是给错误的。"""

    def perform_content_negotiation(
        self,
        request: Request,
        force: bool = False,  # noqa: FBT001, FBT002 Django passes it by position
    ) -> tuple[BaseRenderer, str]:
        """不看对方要什么。"""
        return JSONRenderer(), JSONRenderer.media_type
