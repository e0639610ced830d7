"""自己更新的页面共用的:登录过期了整页重载。"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

View = Callable[..., HttpResponse]


def refreshed_when_signed_out(view: View) -> View:
    """登录过期以后让浏览器重载整页。

    Otherwise htmx would put the page for signing in into the middle of ours.
    """

    def refreshed(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        if response.status_code == HttpResponseRedirect.status_code:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return response

    return refreshed
