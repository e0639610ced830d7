from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SyncConfig(AppConfig):
    """同步应用。"""

    name = "sync"
    verbose_name = _("K-line sync")

    def ready(self) -> None:
        """把报告的活动记下来;登录也是活动。"""
        from common.activity import noted  # noqa: PLC0415  # models need the apps

        from . import services  # noqa: PLC0415
        from .models.activity import record  # noqa: PLC0415

        noted.connect(record)
        services.activity.listen()
