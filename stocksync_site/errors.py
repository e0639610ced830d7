"""错误的页面,在网站自己的框架里,带着回去的路。"""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

Next = Callable[[HttpRequest], HttpResponse]
ADMIN = "/admin/"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """答 400;请求坏到什么程度不知道,所以页面上没有别的。"""
    return _bare(400, _("Bad request"), _("The request could not be understood."))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """答 403:没有权限。"""
    words = _("You may not see or do this. Ask an administrator for the permission.")
    return _framed(request, 403, _("Not allowed"), words)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """答 403:表单太旧,或者不是从这里来的。"""
    words = _("The form is out of date or came from elsewhere: load its page again.")
    return _framed(request, 403, _("The form was not accepted"), words)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """答 404:没有这一页。"""
    words = _("There is no such page, or what it was about is gone.")
    return _framed(request, 404, _("Not found"), words)


def server_error(request: HttpRequest) -> HttpResponse:
    """答 500;数据库也许不在,所以不问它。"""
    words = _("Something went wrong here. It has been logged; try again in a moment.")
    return _bare(500, _("Server error"), words)


class MethodNotAllowed:
    """中间件:管理页面的 405 也是一页,不是空白。"""

    def __init__(self, get_response: Next) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """换上有字的一页;说得出哪些方法可以的头留着。"""
        answer = self._get_response(request)
        ours = request.path_info.startswith(ADMIN)
        if not ours or not isinstance(answer, HttpResponseNotAllowed):
            return answer
        words = _("This address cannot be opened like this: use its page's buttons.")
        page = _framed(request, answer.status_code, _("Not possible here"), words)
        page["Allow"] = answer["Allow"]
        return page


def _framed(request: HttpRequest, status: int, title: str, words: str) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": title,
        "words": words,
        "status": status,
    }
    return render(request, "error.html", context, status=status)


def _bare(status: int, title: str, words: str) -> HttpResponse:
    site = {"site_title": admin.site.site_title, "site_header": admin.site.site_header}
    context = {**site, "title": title, "words": words, "status": status}
    return HttpResponse(render_to_string("error.html", context), status=status)
