"""管理站点:名字、首页的概况、谁能看后台任务。"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

# In the header; the language does not change where something is. Those of the second
# row unfold from the last of the first.
PLACES = ("MarketDay", "SyncRun", "SyncFailure", "Stock", "ApiToken", "Activity")
MORE = (
    *("ScheduledJob", "Alert", "AccessKey", "RejectedBar", "Split", "Revision"),
    *("User", "AccessAttempt"),
)
# An app's list shows every page; these have shorter names in the header.
NAMES = {
    "MarketDay": _("Completeness"),
    "Activity": _("Activity"),
    "User": _("Users"),
    "AccessAttempt": _("Wrong passwords"),
}
ORDER = PLACES + MORE
APPS = ("sync", "tokens", "auth", "axes", "django_q")


class StocksyncAdminSite(admin.AdminSite):
    """我们的管理站点。"""

    site_title = "stocksync"
    site_header = "stocksync"
    index_title = _("Overview")
    site_url = None  # there is nothing but the admin
    enable_nav_sidebar = False  # wide lists need the room; the header has the links

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[dict[str, Any]]:
        """列出应用和它们的页面,在哪种语言里都是一个次序。"""
        apps: list[dict[str, Any]] = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=lambda model: _place(ORDER, model["object_name"]))
        return sorted(apps, key=lambda app: _place(APPS, app["app_label"]))

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """加上页头的导航。"""
        context = super().each_context(request)
        models = {
            model["object_name"]: model | {"name": _named(model)}
            for app in context["available_apps"]
            for model in app["models"]
            if model["admin_url"]
        }
        return {
            **context,
            "places": [models[name] for name in PLACES if name in models],
            "more_places": [models[name] for name in MORE if name in models],
        }

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """加上首页会变的部分和搜索。"""
        from sync.admin.live import refreshed_when_signed_out  # noqa: PLC0415
        from sync.admin.overview.dashboard import live  # noqa: PLC0415
        from sync.admin.search import search  # noqa: PLC0415

        view = refreshed_when_signed_out(self.admin_view(require_safe(live)))
        found = self.admin_view(require_safe(search))
        return [
            path("overview/", view, name="overview_live"),
            path("search/", found, name="search"),
            *super().get_urls(),
        ]

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """登录。"""
        # The site is made before there are users.
        from .sign_in import SignInForm  # noqa: PLC0415

        self.login_form = SignInForm
        return super().login(request, extra_context)

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """首页:概况在应用列表之上。"""
        # The site is made before the models are.
        from sync.admin.overview.dashboard import overview  # noqa: PLC0415
        from sync.admin.overview.first_steps import first_steps  # noqa: PLC0415

        context = overview(request) | {"first_steps": first_steps(request)}
        return super().index(request, context | (extra_context or {}))


def _named(model: dict[str, Any]) -> str:
    return str(NAMES.get(model["object_name"], model["name"]))


def _place(order: Sequence[str], name: str) -> tuple[int, str]:
    """Those without a place of their own come last, by name."""
    return (order.index(name) if name in order else len(order)), name


class StocksyncAdminConfig(AdminConfig):
    """让 `admin.site` 就是我们的站点。"""

    default_site = "stocksync_site.admin.StocksyncAdminSite"
