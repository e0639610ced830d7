from __future__ import annotations

from django.apps import AppConfig, apps
from django.contrib.auth.signals import user_logged_in
from django.core.checks import Tags, register
from django.db.models.signals import pre_migrate


class SiteConfig(AppConfig):
    """项目自己的应用:登记系统检查,守住任务,`migrate` 之前整理字符集。"""

    name = "stocksync_site"

    def ready(self) -> None:
        """登记。"""
        from . import (  # noqa: PLC0415  # checks need the apps to be ready
            charset,
            checks,  # noqa: F401
            databases,
            jobs,
            private,
            sessions,
        )

        private.shut()
        jobs.guard()
        user_logged_in.connect(sessions.begin)

        register(private.check, Tags.security)
        register(charset.check, Tags.database)
        register(databases.check, Tags.database)
        # Sent for apps with models only, for each of them once, before any migration.
        first = apps.get_app_config("contenttypes")
        pre_migrate.connect(charset.convert, sender=first)
