"""tokens 应用。"""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.utils.translation import gettext_lazy as _

from .checks import check_tokens_can_be_read


class TokensConfig(AppConfig):
    """Token 及其加密、租用和额度。"""

    name = "tokens"
    verbose_name = _("Tokens")

    def ready(self) -> None:
        """登记系统检查。"""
        register(check_tokens_can_be_read, Tags.database)
