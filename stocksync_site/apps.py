from __future__ import annotations

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """项目自己的应用:只为登记系统检查。"""

    name = "stocksync_site"

    def ready(self) -> None:
        """登记系统检查。"""
        from . import checks  # noqa: F401, PLC0415  # checks need the apps to be ready
