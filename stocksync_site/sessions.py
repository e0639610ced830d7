"""会话:人不动了,到了时候就结束。"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse

Next = Callable[[HttpRequest], HttpResponse]

SEEN = "seen"
# To write a session at every request would cost more than the page.
EVERY = 300  # seconds


class IdleEnd:
    """中间件:有人在用的会话,每几分钟把期限往后推一次。

    A page that renews itself is nobody's doing: left open, it keeps no session alive.
    """

    def __init__(self, get_response: Next) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """处理请求。"""
        answer = self._get_response(request)
        by_itself = request.method == "GET" and "HX-Request" in request.headers
        if settings.SESSION_COOKIE_NAME in request.COOKIES and not by_itself:
            _prolong(request)
        return answer


def begin(request: HttpRequest, **_: Any) -> None:
    """刚登录的会话,期限刚刚算过。"""
    request.session[SEEN] = int(time.time())


def _prolong(request: HttpRequest) -> None:
    session, now = request.session, int(time.time())
    # Of one that is signed in: a made-up cookie must not make a row.
    if SESSION_KEY in session and now - session.get(SEEN, 0) >= EVERY:
        session[SEEN] = now
