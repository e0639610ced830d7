from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SyncConfig(AppConfig):
    """同步应用。"""

    name = "sync"
    verbose_name = _("K-line sync")
