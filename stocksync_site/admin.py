"""管理站点:名字、首页的概况、谁能看后台任务。"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _


class StocksyncAdminSite(admin.AdminSite):
    """我们的管理站点。"""

    site_title = "stocksync"
    site_header = "stocksync"
    index_title = _("Overview")
    site_url = None  # there is nothing but the admin
    enable_nav_sidebar = False  # wide lists need the room; the header has the links

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """首页:概况在应用列表之上。"""
        # The site is made before the models are.
        from sync.admin.overview.dashboard import overview  # noqa: PLC0415

        return super().index(request, overview(request) | (extra_context or {}))


class StocksyncAdminConfig(AdminConfig):
    """让 `admin.site` 就是我们的站点。"""

    default_site = "stocksync_site.admin.StocksyncAdminSite"
