"""每分钟能调用几次。

The counts live in Django's cache. In its default, the memory of one process, each web
process counts for itself: a guard against mistakes, not against an attacker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import AnonRateThrottle, UserRateThrottle

from ..models import AccessKey

if TYPE_CHECKING:  # the library's views load this module
    from rest_framework.views import APIView


class CallerThrottle(UserRateThrottle):
    """登录的用户;每把访问密钥各算各的,可以有自己的限额。"""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """还可不可以调用;密钥自己的限额先于设置。"""
        if isinstance(request.auth, AccessKey):
            self.rate = _rate(request.auth.call_limit)
            self.num_requests, self.duration = self.parse_rate(self.rate)
        return super().allow_request(request, view)

    def get_rate(self) -> str | None:
        """0 或更少:不限。"""
        return _rate(settings.API_CALLS_PER_MINUTE)

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        """没有登录的不归这里管。"""
        if not request.user.is_authenticated:
            return None
        key = request.auth
        who = f"key-{key.pk}" if isinstance(key, AccessKey) else request.user.pk
        return self.cache_format % {"scope": self.scope, "ident": who}


class AnonymousThrottle(AnonRateThrottle):
    """没有登录的,按地址。"""

    def get_rate(self) -> str | None:
        """0 或更少:不限。"""
        return _rate(settings.API_ANONYMOUS_CALLS_PER_MINUTE)


def _rate(calls: int) -> str | None:
    return f"{calls}/min" if calls > 0 else None
