"""每个接口的门。"""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import (
    AuthenticationFailed,
    NotAuthenticated,
    PermissionDenied,
)
from rest_framework.request import Request
from rest_framework.views import APIView


class Guarded(APIView):
    """被拒绝的调用也要计数。

    The library counts only those it lets in: whoever tries keys could go on for ever.
    """

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """是谁,可不可以,会不会太多。"""
        try:
            super().initial(request, *args, **kwargs)
        except (NotAuthenticated, AuthenticationFailed, PermissionDenied):
            self.check_throttles(request)
            raise
