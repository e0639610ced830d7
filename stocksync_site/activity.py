"""在页面上做事的,是登录的用户。"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from common.activity import Actor, Way, acting

Next = Callable[[HttpRequest], HttpResponse]


class ActingUser:
    """中间件:请求期间做事的,是它的用户。

    Nobody is asked for before something is noted; an access key says who it is later.
    """

    def __init__(self, get_response: Next) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """处理请求。"""
        who = SimpleLazyObject(lambda: request.user.get_username())  # noqa: PLW0108  # asks
        with acting(Actor(who, Way.PAGE)):
            return self._get_response(request)
